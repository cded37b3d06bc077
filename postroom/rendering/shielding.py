"""Takes the tags of a template out of its HTML while another program rewrites that, and puts them back afterwards."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from jinja2 import Environment

from postroom.rendering.contexts import Place, Scanner
from postroom.rendering.limits import TAGS
from postroom.rendering.trouble import Code, Refused

_ENDS = {
    "variable_begin": "variable_end",
    "block_begin": "block_end",
    "comment_begin": "comment_end",
    "raw_begin": "raw_end",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Literal text, or a tag with what kind it is: variable, block, comment or raw."""

    text: str
    line: int
    kind: str | None = None


def pieces(source: str, environment: Environment) -> Iterator[Piece]:
    """Cut a source at its tags, as Jinja's own lexer sees them.

    Raises:
        Refused: there are too many.
    """
    held, begun, ending, count = "", 1, "", 0
    kind = ""
    for line, token, text in environment.lexer.tokeniter(source, None):
        if ending:
            held += text
            if token == ending:
                yield Piece(held, begun, kind)
                ending = ""
        elif token in _ENDS:
            held, begun, ending, kind, count = text, line, _ENDS[token], token.removesuffix("_begin"), count + 1
            if count > TAGS:
                raise Refused(Code.TOO_COMPLEX, f"At most {TAGS} tags in one text.", line=line)
        else:
            yield Piece(text, line)


@dataclass(frozen=True, slots=True)
class Shield:
    """A source whose tags are hidden behind words that mean nothing to HTML, XML or CSS."""

    text: str
    _tags: dict[str, Piece]
    _word: str

    @classmethod
    def over(cls, source: str, environment: Environment) -> Self:
        """Hide the tags: values behind a word, and conditions and loops behind a comment, which may stand anywhere.

        Raises:
            Refused: a condition stands between the attributes of a tag, where it could not be found again.
        """
        word, tags, hidden, scanner = _unused(source), dict[str, Piece](), list[str](), Scanner()
        for piece in pieces(source, environment):
            if piece.kind is None:
                scanner.feed(piece.text)
                hidden.append(piece.text)
            elif piece.kind != "comment":
                name = f"{word}{len(tags)}z"
                tags[name] = piece
                hidden.append(_hidden(piece, name, scanner.place))
        return cls("".join(hidden), tags, word)

    def lift(self, text: str) -> str:
        """Put the tags back, each as often as its word stands there.

        Raises:
            Refused: a condition or a loop is gone, so what it decides would be decided otherwise.
        """
        name, seen = rf"{self._word}[0-9]+z", set[str]()

        def tag(found: re.Match[str]) -> str:
            seen.add(found[1] or found[2])
            return self._tags[found[1] or found[2]].text

        lifted = re.sub(rf"<!--({name})-->|({name})", tag, text)
        for lost in self._tags.keys() - seen:
            if self._tags[lost].kind == "block":
                sentence = "This would be lost where it stands; put it around an element or into a text."
                raise Refused(Code.SYNTAX, sentence, line=self._tags[lost].line)
        return lifted


def _hidden(piece: Piece, name: str, place: Place) -> str:
    if place is Place.TAG:
        sentence = "Put this between the quotes of an attribute: styles are inlined, which changes their order."
        raise Refused(Code.SYNTAX, sentence, line=piece.line)
    return f"<!--{name}-->" if piece.kind == "block" and place is Place.WORDS else name


def _unused(source: str) -> str:
    """Return letters that the source does not hold."""
    word = "qz"
    while word in source.lower():
        word += "q"
    return word
