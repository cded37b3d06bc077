"""Looks at finished words as their reader's programs will: links, images, sizes, headers; nothing is fetched."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlsplit

from postroom.rendering.contexts import NOWHERE
from postroom.rendering.speech import Words

CLIPPED = 102_000  # bytes of HTML past which Gmail shows a link instead of the rest
TITLE_SHOWN = 78  # letters that most programs show of a subject (RFC 5322 section 2.1.1)
SEARCHED = 1_000_000
MOST = 50  # findings of one kind in one text

_TAG = re.compile(r"<(a|img)\b([^<>]*)>", re.IGNORECASE)
_VALUE = r"""\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
_HREF = re.compile(rf"\bhref{_VALUE}", re.IGNORECASE)
_SRC = re.compile(rf"\bsrc{_VALUE}", re.IGNORECASE)
_ALT = re.compile(r"\balt\b", re.IGNORECASE)
_TAGS = {"link": "<a", "image": "<img"}
_ANCHORS = re.compile(r"<(/?)a\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth a look before many see it; `needle` is what its place in the source holds, as far as known."""

    code: str
    detail: str
    field: str
    needle: str = ""
    is_error: bool = False


def findings(words: Words) -> Iterator[Finding]:
    """Look at everything that will be sent to one person."""
    if words.title and len(words.title) > TITLE_SHOWN:
        yield Finding("title_long", f"Most programs show the first {TITLE_SHOWN} letters of a title.", "title")
    if words.html:
        yield from _look(words.html)


def _look(html: str) -> Iterator[Finding]:
    size = len(html.encode())
    if size > CLIPPED:
        yield Finding("html_clipped", f"Gmail shows {CLIPPED} bytes and hides the rest; this has {size}.", "html")
    opened = closed = 0
    for end in _ANCHORS.findall(html[:SEARCHED]):
        opened, closed = opened + (not end), closed + bool(end)
    if opened != closed:
        yield Finding("link_unbalanced", f"{opened} links begin and {closed} end.", "html", "<a", is_error=True)
    for count, (name, attributes) in enumerate(_TAG.findall(html[:SEARCHED])):
        if count < MOST:
            yield from _link(attributes) if name.lower() == "a" else _image(attributes)


def _link(attributes: str) -> Iterator[Finding]:
    href = _HREF.search(attributes)
    if href:
        yield from _target(unescape(next(filter(None, href.groups()), "")).strip(), "link")
    elif not re.search(r"\bname\b|\bid\b", attributes):
        yield Finding("link_empty", "A link leads nowhere.", "html", "<a")


def _image(attributes: str) -> Iterator[Finding]:
    if not _ALT.search(attributes):
        yield Finding("image_without_alt", "An image has no words for who does not see it (alt).", "html", "<img")
    if source := _SRC.search(attributes):
        yield from _target(unescape(next(filter(None, source.groups()), "")).strip(), "image")


def _target(target: str, what: str) -> Iterator[Finding]:
    scheme = urlsplit(target).scheme.lower() if _is_url(target) else "broken"
    if not target or target == "#":
        yield Finding(f"{what}_empty", f"The target of this {what} is empty.", "html", _TAGS[what])
    elif target == NOWHERE or scheme in {"javascript", "vbscript", "broken"}:
        detail = f"The target of this {what} runs a script, or is no URL."
        yield Finding(f"{what}_broken", detail, "html", target, is_error=True)
    elif not scheme and not target.startswith(("#", "//")):
        yield Finding(f"{what}_relative", f"In a message this {what} is relative to nothing.", "html", target)


def _is_url(target: str) -> bool:
    try:
        return " " not in target and bool(urlsplit(target).geturl() or True)
    except ValueError:
        return False
