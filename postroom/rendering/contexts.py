"""Where in HTML a value stands: in words, in an attribute, in a link, in a style; and where none may stand."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote

from postroom.rendering.environment import shown
from postroom.rendering.trouble import Code, Refused

NOWHERE = "about:blank"  # what stands in the place of a link that could run a script


class Place(StrEnum):
    """Where the scanner is; the values of the last four name the filter that a value there goes through."""

    WORDS = "words"
    COMMENT = "comment"
    TAG = "tag"
    ATTRIBUTE = "attribute"
    SCRIPT = "script"
    LINK = " link"
    PATH = " path"
    QUERY = " query"
    STYLE = " style"


_LINKS = frozenset(
    {"href", "src", "action", "formaction", "background", "cite", "poster", "data", "xlink:href", "longdesc", "ping"}
)
_RAW = frozenset({"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "sms", "cid"})
_INVISIBLE = re.compile("[\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060\ufeff]+")
_TAG = re.compile(r"</?([A-Za-z][^\s/>]*)|<!--|<[!?]|</?\Z")
_INSIDE = re.compile(r"""[\s/]+|(?P<end>>)|(?P<name>[^\s"'>/=]+)|(?P<equals>=\s*)(?P<quote>["']?)|(?P<stray>["'])""")
_STYLE_SIGNS = re.compile(r"[^\w #.,%+-]")


def link(value: object) -> str:
    """Return a URL that leads somewhere and runs nothing; anything else leads nowhere."""
    url = _INVISIBLE.sub("", str(shown(value)))
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].lower() not in _SCHEMES:
        return NOWHERE
    if ":" in re.split(r"[/?#]", url, maxsplit=1)[0] and not scheme:
        return NOWHERE
    return quote(url, safe="/:@!$&'()*+,;=?#[]~%")


def path(value: object) -> str:
    """Return a part of a URL before its question mark; it can neither name a scheme nor begin a query."""
    return quote(str(shown(value)), safe="/@!$'()*+,;=~")


def query(value: object) -> str:
    """Return a part of a URL behind its question mark."""
    return quote(str(shown(value)), safe="")


def style(value: object) -> str:
    """Return a colour, a size or a name; what could end a declaration is left out."""
    return _STYLE_SIGNS.sub("", str(shown(value)))


FILTERS: dict[str, Callable[[object], str]] = {
    str(Place.LINK): link,
    str(Place.PATH): path,
    str(Place.QUERY): query,
    str(Place.STYLE): style,
}


@dataclass(slots=True)
class Scanner:
    """Follows HTML in the order it is written; values may stand between two pieces."""

    place: Place = Place.WORDS
    _element: str = ""
    _attribute: str = ""
    _quote: str = ""
    _before: str = ""  # what the value of the attribute begins with
    _valued: bool = field(default=False)  # a placeholder stands in it already

    def feed(self, text: str) -> None:
        """Go on through a piece of literal text."""
        at = 0
        while at < len(text):
            at = self._step(text, at)

    def meet(self) -> Place:
        """Say where the value stands that comes now.

        Raises:
            Refused: no value may stand here.
        """
        if self.place is Place.TAG or (self.place is Place.ATTRIBUTE and not self._quote):
            raise Refused(Code.UNSAFE, 'A value inside a tag stands between quotes: <a title="{{ name }}">.')
        if self.place is Place.SCRIPT:
            raise Refused(Code.UNSAFE, "No value may stand in a script.")
        if self.place is not Place.ATTRIBUTE:
            return self.place
        found, self._valued = self._in_attribute(), True
        return found

    def _in_attribute(self) -> Place:
        if self._attribute.startswith("on") or self._attribute == "srcdoc":
            raise Refused(Code.UNSAFE, "No value may stand in a script.")
        if self._attribute == "style":
            return Place.STYLE
        if self._attribute not in _LINKS:
            return Place.ATTRIBUTE
        if "?" in self._before or "#" in self._before:
            return Place.QUERY
        return Place.PATH if self._before or self._valued else Place.LINK

    def _step(self, text: str, at: int) -> int:
        match self.place:
            case Place.WORDS:
                return self._words(text, at)
            case Place.COMMENT:
                return self._until("-->", text, at)
            case Place.TAG:
                return self._tag(text, at)
            case Place.ATTRIBUTE:
                return self._value(text, at)
            case _:
                return self._raw(text, at)

    def _words(self, text: str, at: int) -> int:
        found = _TAG.search(text, at)
        if not found:
            return len(text)
        if found[0] == "<!--":
            self.place = Place.COMMENT
        else:
            self.place, self._element = Place.TAG, "" if found[0].startswith("</") else (found[1] or "").lower()
        return found.end()

    def _until(self, ending: str, text: str, at: int) -> int:
        end = text.find(ending, at)
        if end < 0:
            return len(text)
        self.place = Place.WORDS
        return end + len(ending)

    def _tag(self, text: str, at: int) -> int:
        found = _INSIDE.match(text, at)
        if not found:
            return at + 1
        if found["end"]:
            self.place = self._behind_tag()
        elif found["name"]:
            self._attribute = found["name"].lower()
        elif found["equals"]:
            self.place, self._quote, self._before, self._valued = Place.ATTRIBUTE, found["quote"], "", False
        return found.end()

    def _behind_tag(self) -> Place:
        if self._element not in _RAW:
            return Place.WORDS
        return {"script": Place.SCRIPT, "style": Place.STYLE}.get(self._element, Place.WORDS)

    def _value(self, text: str, at: int) -> int:
        if self._quote:
            end = text.find(self._quote, at)
        else:
            end = min((one for one in (text.find(sign, at) for sign in " \t\r\n>") if one >= 0), default=-1)
        self._before += text[at : end if end >= 0 else len(text)]
        if end < 0:
            return len(text)
        self.place = Place.TAG
        return end + len(self._quote)

    def _raw(self, text: str, at: int) -> int:
        end = text.lower().find(f"</{self._element}", at)
        if end < 0:
            return len(text)
        self.place, self._element = Place.TAG, ""
        return end + 2
