"""Takes a mail apart for showing, whatever a sender made of it: text, HTML, files, links, headers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from html import unescape
from itertools import islice

from postroom.mailbox.headers import Headers, decode_words, printable, read_headers

PART_LIMIT = 200
LINK_LIMIT = 50
FOLLOWABLE = ("http://", "https://", "mailto:")
# Pictures a browser shows without running anything; everything else is only ever downloaded.
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

# These act on the page around them or on the network before any policy is asked: Chromium connects for a preconnect
# link, and for a frame whose load the policy then refuses.
_ACTING_TAGS = re.compile(r"<(?=(?:link|meta|base|i?frame|fencedframe)[\s/>])", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\s[^<>]{0,1000}?\bhref\s*=\s*[\"']?([^\"'<>\s]{1,2000})", re.IGNORECASE)
_CONTENT_ID = re.compile(r"\bcid:([^\s\"'<>()]{1,300})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One file inside a mail; `number` is its place among the leaves."""

    number: int
    filename: str
    content_type: str
    content: bytes
    content_id: str

    @property
    def picture(self) -> bool:
        """Whether it can be shown in place."""
        return self.content_type in PICTURES


@dataclass(slots=True)
class Opened:
    """A mail taken apart; `whole` is False when it was too broken to be read as MIME."""

    headers: Headers
    text: str | None = None
    html: str | None = None
    files: list[Part] = field(default_factory=list)
    whole: bool = True

    def part(self, number: int) -> Part | None:
        """Return a file by its number."""
        return next((part for part in self.files if part.number == number), None)

    def html_with_pictures(self, base: str) -> str:
        """Return the HTML with `cid:` pictures led to `base` + number, and tags that reach outside disarmed."""
        places = {part.content_id: f"{base}{part.number}" for part in self.files if part.content_id and part.picture}
        disarmed = _ACTING_TAGS.sub("<x-", self.html or "")
        return _CONTENT_ID.sub(lambda found: places.get(found[1].strip("<>"), found[0]), disarmed)

    def links(self) -> Sequence[str]:
        """Return the addresses the HTML leads to, in order, each once: only those that are safe to follow."""
        targets = (printable(unescape(found[1])) for found in _ANCHOR.finditer(self.html or ""))
        safe = (target for target in targets if target.lower().startswith(FOLLOWABLE))
        return list(islice(dict.fromkeys(safe), LINK_LIMIT))


def open_letter(raw: bytes) -> Opened:
    """Take a mail apart; a broken one yields what could be read."""
    opened = Opened(read_headers(raw))
    try:
        for number, part in enumerate(_leaves(message_from_bytes(raw))):
            _sort(opened, number, part)
    # What the standard library's parser is known to raise on hostile input; RecursionError is a RuntimeError.
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError):
        opened.whole = False
    return opened


def _leaves(message: Message) -> Iterator[Message]:
    leaves = (part for part in message.walk() if not part.is_multipart())
    return islice(leaves, PART_LIMIT)


def _sort(opened: Opened, number: int, part: Message) -> None:
    content_type = part.get_content_type()
    filename = part.get_filename()
    shown = part.get_content_disposition() != "attachment" and filename is None
    if shown and content_type == "text/plain" and opened.text is None:
        opened.text = _decoded(part)
    elif shown and content_type == "text/html" and opened.html is None:
        opened.html = _decoded(part)
    else:
        name = decode_words(str(filename or "")).replace("/", "_").replace("\\", "_") or f"part-{number}"
        content_id = str(part.get("content-id") or "").strip().strip("<>")
        opened.files.append(Part(number, name, content_type, _content(part), content_id))


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _decoded(part: Message) -> str:
    content = _content(part)
    try:
        text = content.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()  # UTF-7 can spell halves of characters
