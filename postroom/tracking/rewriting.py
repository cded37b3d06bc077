"""Leads the links of a mail over the house: reads HTML as a browser does, and changes nothing but the links."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from html.entities import html5
from urllib.parse import quote, urlsplit

from postroom.tracking.tokens import URL_LIMIT

LINKS_LIMIT = 500  # of one mail; what follows is left alone
ALIKE = 4  # variants of the words before a link that are remembered

_BLANK = r"[ \t\n\f\r]"
_VALUE = r"(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'<>=`]++(?=[\s>]))"
_ATTRIBUTE = rf"{_BLANK}++[^\s\"'<>/=]++(?:{_BLANK}*+={_BLANK}*+{_VALUE})?+"
_NO_HREF = rf"(?:(?!{_BLANK}++href[=>\s/]){_ATTRIBUTE})*+"
# The same, where it is not asked which attributes there are: an equals sign behind a name, and a value.
_ATTRIBUTES = rf"(?:[^<>\"'=]++|(?<=[^\s/\"'=])={_BLANK}*+{_VALUE})*+>"
# What browsers read as text up to its end tag, whatever it looks like.
_RAW = ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript")
# One pattern for each name: a group that is referred to back, inside a possessive repetition, comes out wrong in 3.11.
_RAW_ELEMENT = "|".join(
    rf"{name}(?=[\s/>]){_ATTRIBUTES}(?:[^<]++|<(?!/{name}[\s/>]))*+</{name}{_BLANK}*+>" for name in _RAW
)
# Everything up to the next link, in one go. Where something is not plainly well-formed nothing matches, and all that
# follows stays as it is. Every repetition is possessive: no text makes this look twice at the same place.
_UP_TO_LINK = re.compile(
    rf"""
    (?:
        [^<]++
      | <(?!(?:a|{"|".join(_RAW)}|plaintext)[\s/>])/?[a-z][^\s/>"'<=]*+(?=[\s/>]){_ATTRIBUTES}
      | <a{_NO_HREF}{_BLANK}*+>
      | <!--(?!-?>)(?:[^-]++|-(?!-!?>))*+--!?>
      | <!(?!--|\[CDATA)[^>]*+>
      | <(?:{_RAW_ELEMENT})
      | <(?![a-z/!?])
    )*+
    <a{_NO_HREF}{_BLANK}++href{_BLANK}*+={_BLANK}*+
    (?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^\s"'<>=`]++)(?=[\s>]))
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_REST_OF_TAG = re.compile(rf"[\"']?+(?=[\s/>]){_ATTRIBUTES}", re.ASCII)
_REFERENCE = re.compile(
    r"&(?:#(?:([0-9]{1,7})|[xX]([0-9a-fA-F]{1,6}));?|([A-Za-z][A-Za-z0-9]*+(?:;|(?![A-Za-z0-9=]))))", re.ASCII
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff]")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_LAST_CODE = 0x10FFFF

Place = tuple[int, int, str]  # where the value of an href begins and ends, and what it says


class Reader:
    """Finds the links of mails; those of one template are alike, and what stood in the mail before is not read again.

    Between two links stands mostly the same in all of them: comparing it costs a hundredth of reading it.
    """

    def __init__(self) -> None:
        self._between: list[list[str]] = [[] for _ in range(LINKS_LIMIT)]

    def places(self, html: str) -> list[Place]:
        """Find the links of a mail, in order."""
        found: list[Place] = []
        end = 0
        for known in self._between:
            span = _as_before(html, end, known)
            if span is None:
                span = _next(html, end)
                if span is None:
                    break
                known.insert(0, html[end : span[0]])
                del known[ALIKE:]
            start, end = span
            found.append((start, end, html[start:end]))
        return found


def _as_before(html: str, at: int, known: Sequence[str]) -> tuple[int, int] | None:
    """Find the next link behind words that stood before one already; behind the same words it is read the same way."""
    for between in known:
        if html.startswith(between, at):
            start = at + len(between)
            end = html.find(between[-1], start) if between[-1] in "\"'" else -1
            return None if end < 0 else (start, end)
    return None


def _next(html: str, at: int) -> tuple[int, int] | None:
    """Find the next link, from the end of the last one's address on."""
    if at:
        rest = _REST_OF_TAG.match(html, at)
        if rest is None:
            return None
        at = rest.end()
    found = _UP_TO_LINK.match(html, at)
    return found.span(found.lastgroup) if found and found.lastgroup else None


@lru_cache(maxsize=4_096)
def target_of(said: str) -> str | None:
    """Return where an href leads when that is one web address that every program reads alike; else None."""
    url = _REFERENCE.sub(_meant, said).strip(" \t\n\f\r")
    if _CONTROL.search(url):
        return None
    try:
        parts = urlsplit(url)
        plain = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    except ValueError:
        return None
    if not plain or not parts.netloc.isascii() or " " in parts.netloc:
        return None
    url = quote(url, safe=_PRINTABLE)
    return url if len(url) <= URL_LIMIT else None


def rewrite(html: str, found: Sequence[Place], link_for: Callable[[str], str | None]) -> str:
    """Put other links in place of those that were found; None leaves one as it is."""
    pieces, at = [], 0
    for start, end, said in found:
        if link := link_for(said):
            pieces += [html[at:start], link]
            at = end
    return "".join([*pieces, html[at:]]) if pieces else html


def with_pixel(html: str, url: str) -> str:
    """Put the image whose loading is an open last into the body."""
    return last_in_body(html, f'<img src="{url}" width="1" height="1" alt="" style="border:0">')


def last_in_body(html: str, piece: str) -> str:
    """Put a piece of HTML behind everything else that is shown."""
    at = html.rfind("</body>")
    return html + piece if at < 0 else html[:at] + piece + html[at:]


def _meant(found: re.Match[str]) -> str:
    """Read a character reference as browsers do inside an attribute (HTML 13.2.5.73): `&copy=` is no reference."""
    decimal, hexadecimal, name = found.groups()
    if name:
        return html5.get(name, found[0])
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if code <= _LAST_CODE else found[0]
