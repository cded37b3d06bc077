"""Derives the plain part as the first reader did, one piece at a time: what the quick one is compared with."""

import re
from html import unescape

# A hostile 60 kB keeps the interpreter's own HTML parser busy for 39 s on 3.11.7 (CVE-2025-6069), so this reads tags
# in one pass that is linear in the input, and no more of it than a person would read as plain text.
INPUT_LIMIT = 200_000

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


def plain_text(html: str) -> str:
    """Return the readable text of `html`; never raises and never takes longer than the input is long."""
    reader = _Reader()
    head, *pieces = html[:INPUT_LIMIT].split("<")
    reader.say(head)
    for piece in pieces:
        reader.take(piece)
    return reader.text()


class _Reader:
    """Collects words from the pieces between one `<` and the next."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._silent_until: str | None = None
        self._link: str | None = None

    def take(self, piece: str) -> None:
        if self._silent_until:
            self._listen(piece)
        elif piece.startswith("!--"):
            self._silent_until = "-->"
            self._listen(piece[3:])
        elif match := _NAME.match(piece):
            tag, _, words = piece.partition(">")
            self._enter(match[0].lower(), tag)
            self.say(words)
        elif piece.startswith(("!", "?", "/")):
            self.say(piece.partition(">")[2])
        else:
            self.say("<" + piece)

    def say(self, words: str) -> None:
        if words and not self._silent_until:
            self._said.append(_BLANKS.sub(" ", _unescaped(words)))

    def text(self) -> str:
        lines: list[str] = []
        for line in (_BLANKS.sub(" ", line).strip() for line in "".join(self._said).split("\n")):
            if line or (lines and lines[-1]):
                lines.append(line)
        return "\n".join(lines).strip()

    def _listen(self, piece: str) -> None:
        """Stay silent until the comment or the element ends in this piece."""
        ending = self._silent_until or ""
        if ending == "-->":
            _, found, words = piece.partition("-->")
        else:
            found, words = ending if piece[: len(ending)].lower() == ending else "", piece.partition(">")[2]
        if found:
            self._silent_until = None
            self.say(words)

    def _enter(self, name: str, tag: str) -> None:
        if name in _SILENT:
            self._silent_until = f"/{name}"
        elif name == "a":
            self._link = _attribute(_HREF, tag)
        elif name == "/a":
            self._close_link()
        elif name == "img":
            self.say(_attribute(_ALT, tag) or "")
        elif name in _BREAKS:
            self._said.append("\n- " if name == "li" else "\n")
        elif name.lstrip("/") in _BLOCKS:
            self._said.append("\n\n")
        elif name in {"td", "th"}:
            self.say(" ")

    def _close_link(self) -> None:
        link, self._link = self._link, None
        if link and link.startswith(("http://", "https://", "mailto:")) and self._said[-1:] != [link]:
            self.say(f" ({link})")


def _unescaped(words: str) -> str:
    try:
        return unescape(words)
    except ValueError:  # a character reference of more digits than the interpreter turns into a number
        return words


def _attribute(pattern: re.Pattern[str], tag: str) -> str | None:
    match = pattern.search(tag)
    return _unescaped(next(filter(None, match.groups()), "")).strip() if match else None
