"""Derives the plain part of a mail that was given as HTML only: words, line breaks and where the links lead."""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from typing import NamedTuple

# A hostile 60 kB keeps the interpreter's own HTML parser busy for 39 s on 3.11.7 (CVE-2025-6069), so this reads tags
# in one pass that is linear in the input, and no more of it than a person would read as plain text.
INPUT_LIMIT = 200_000
# What mails of one template have in common is read once: from one link to the next, and between two tags.
CHUNKS, CHUNK_LIMIT = 1_024, 4_000
PIECES, PIECE_LIMIT = 4_096, 300
LINK = "<a "

_BREAKS = frozenset({"br", "tr", "li", "dt", "dd", "option"})
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "div",
        "dl",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "ul",
    }
)
_SILENT = frozenset({"script", "style", "head", "title", "template"})
_NAME = re.compile(r"/?[A-Za-z][A-Za-z0-9]*")
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_RUNS = re.compile(" {2,}")


class _State(NamedTuple):
    """What is open: an element or a comment that is passed over until this is met, and where the link leads."""

    silent: str | None = None
    link: str | None = None


def plain_text(html: str) -> str:
    """Return the readable text of `html`; never raises and never takes longer than the input is long."""
    said: list[str] = []
    first, *others = html[:INPUT_LIMIT].split(LINK)
    state = _say(first, said, _State())
    for other in others:
        chunk = LINK + other
        told = _told(chunk) if state.silent is None and len(chunk) <= CHUNK_LIMIT else None
        if told is None:
            state = _say(chunk, said, state)
        else:
            words, state = told
            said += words
    return _lines("".join(said))


@lru_cache(maxsize=CHUNKS)
def _told(chunk: str) -> tuple[Sequence[str], _State] | None:
    """Read what begins with a link; None when it depends on what was said before it."""
    said: list[str] = []
    if not chunk.partition(">")[2].partition("<")[0]:
        return None
    return said, _say(chunk, said, _State())


def _say(html: str, said: list[str], state: _State) -> _State:
    """Say a chunk behind what was said; returns what is open at its end."""
    silent, link = state
    head, *pieces = html.split("<")
    said += _words(head)
    for piece in pieces:
        if silent:
            silent, words = _listened(silent, piece)
            said += words
            continue
        then, value, words = _read(piece) if len(piece) <= PIECE_LIMIT else _take(piece)
        if then is not None:
            if then == "silent":
                silent = value
            elif then == "link":
                link = value
            else:
                said += _closed(link, said)
                link = None
        said += words
    return _State(silent, link)


class _Piece(NamedTuple):
    """What stands between one `<` and the next: what it begins or ends, its value, and what is said behind that."""

    then: str | None
    value: str | None
    words: Sequence[str]


def _take(piece: str) -> _Piece:
    if piece.startswith("!--"):
        silent, words = _listened("-->", piece[3:])
        return _Piece("silent" if silent else None, silent, words)
    if match := _NAME.match(piece):
        tag, _, words = piece.partition(">")
        return _entered(match[0].lower(), tag, words)
    if piece.startswith(("!", "?", "/")):
        return _Piece(None, None, _words(piece.partition(">")[2]))
    return _Piece(None, None, _words("<" + piece))


_read = lru_cache(maxsize=PIECES)(_take)


def _entered(name: str, tag: str, words: str) -> _Piece:
    if name in _SILENT:
        return _Piece("silent", f"/{name}", ())
    if name == "a":
        return _Piece("link", _attribute(_HREF, tag), _words(words))
    if name == "/a":
        return _Piece("close", None, _words(words))
    before: Sequence[str] = ()
    if name == "img":
        before = _words(_attribute(_ALT, tag) or "")
    elif name in _BREAKS:
        before = ("\n- " if name == "li" else "\n",)
    elif name.lstrip("/") in _BLOCKS:
        before = ("\n\n",)
    elif name in {"td", "th"}:
        before = (" ",)
    return _Piece(None, None, (*before, *_words(words)))


def _listened(until: str, piece: str) -> tuple[str | None, Sequence[str]]:
    """Stay silent unless the comment or the element ends in this piece."""
    if until == "-->":
        _, found, words = piece.partition("-->")
    else:
        found, words = until if piece[: len(until)].lower() == until else "", piece.partition(">")[2]
    return (None, _words(words)) if found else (until, ())


def _closed(link: str | None, said: Sequence[str]) -> Sequence[str]:
    """Say where a link leads, unless it has said so itself."""
    if link and link.startswith(("http://", "https://", "mailto:")) and said[-1:] != [link]:
        return _words(f" ({link})")
    return ()


def _words(words: str) -> Sequence[str]:
    return (_BLANKS.sub(" ", _unescaped(words)),) if words else ()


def _lines(text: str) -> str:
    lines: list[str] = []
    for line in map(str.strip, _RUNS.sub(" ", text).split("\n")):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip()


def _unescaped(words: str) -> str:
    try:
        return unescape(words)
    except ValueError:  # a character reference of more digits than the interpreter turns into a number
        return words


def _attribute(pattern: re.Pattern[str], tag: str) -> str | None:
    match = pattern.search(tag)
    return _unescaped(next(filter(None, match.groups()), "")).strip() if match else None
