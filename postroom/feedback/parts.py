"""Takes a mail of strangers apart: bounded in size, depth and number, and never deeper than reports go."""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

SIZE_LIMIT = 1_000_000  # bytes that are looked at; reports stand in front of what they return
HEAD_LIMIT = 64_000
DEPTH = 3  # a report may stand inside what a list or a gateway wrapped around it
PARTS = 20
KIND_LIMIT = 1_000  # letters of a Content-Type
# The library's own reader of parameters takes minutes over a quote without end, and raises over odd continuations.
_KIND = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(?=[\s;]|\Z)")
_BOUNDARY = re.compile(r";\s*boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One entity: its header, and its body as it was sent."""

    head: Message
    body: bytes

    @property
    def kind(self) -> str:
        """Its media type, in lower case."""
        found = _KIND.match(self._kind)
        return found[0].lower() if found else "text/plain"

    @property
    def boundary(self) -> str | None:
        """What stands between its parts; None when there are none."""
        found = _BOUNDARY.search(self._kind) if self.kind.startswith("multipart/") else None
        return found and (found[1] or found[2])

    @property
    def _kind(self) -> str:
        return str(self.head.get("content-type", ""))[:KIND_LIMIT].strip()

    def field(self, name: str) -> str:
        """Return a field of its header in one line; empty when there is none."""
        return " ".join(str(self.head.get(name, "")).split())

    def text(self) -> str:
        """Return the body as words, whatever it is."""
        encoding = self.field("content-transfer-encoding").lower()
        body = self.body
        try:
            if encoding == "base64":
                body = base64.b64decode(body)
            elif encoding == "quoted-printable":
                body = quopri.decodestring(body)
        except (binascii.Error, ValueError):
            pass  # it is read as it stands
        return body.decode("utf-8", "replace").replace("\r\n", "\n")


def opened(raw: bytes) -> Part:
    """Split a message into header and body."""
    raw = raw[:SIZE_LIMIT].lstrip(b"\r\n")
    if raw.startswith(b"From "):  # the line of a mailbox file, which some pipes put first
        raw = raw.partition(b"\n")[2]
    end = _END_OF_HEAD.search(raw)
    head, body = (raw[: end.start()], raw[end.end() :]) if end else (raw, b"")
    return Part(HeaderParser().parsestr(head[:HEAD_LIMIT].decode("utf-8", "replace") + "\n\n"), body)


def leaves(part: Part, depth: int = DEPTH) -> Iterator[Part]:
    """Walk the parts of a message in order; what is nested deeper than reports are is one part."""
    boundary = part.boundary
    if depth == 0 or boundary is None:
        yield part
        return
    line = re.compile(rb"^--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(?:--)?[ \t]*\r?$", re.MULTILINE)
    for piece in line.split(part.body, PARTS)[1:]:
        if piece.strip(b"\r\n-"):
            yield from leaves(_entity(piece), depth - 1)


def _entity(piece: bytes) -> Part:
    """Read a part, whose header may be empty."""
    piece = piece.removeprefix(b"\r").removeprefix(b"\n")
    return opened(b"X-None:\n\n" + piece.lstrip(b"\r\n")) if piece[:1] in {b"\r", b"\n"} else opened(piece)


def groups(text: str) -> list[Message]:
    """Read the groups of fields that reports are made of (RFC 3464 section 2.1)."""
    found = re.split(r"\n[ \t]*\n", text.strip("\n"), maxsplit=50)
    return [HeaderParser().parsestr(group + "\n\n") for group in found if group]
