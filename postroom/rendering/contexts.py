"""Where in HTML a value stands: in words, in an attribute, in a link, in a style; and where none may stand."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from postroom.rendering.environment import shown
from postroom.rendering.trouble import Code, Refused

NOWHERE = "about:blank"  # what stands in the place of a link that could run a script


class Place(StrEnum):
    """Where the scanner is; the values of the last four name the filter that a value there goes through.

    Each of those four does no harm in the places of those before it.
    """

    WORDS = "words"
    PLAIN = "plain"  # words of an element that can hold no other, such as a title
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
_RAW = frozenset(
    {"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"}
    | {"mj-title", "mj-preview", "mj-style"}  # before MJML is compiled
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "sms", "cid"})
_INVISIBLE = re.compile("[\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060\ufeff]+")
_RAW_ENDS = {element: re.compile(rf"</{element}(?=[\s/>])", re.IGNORECASE) for element in _RAW}
_TAG = re.compile(r"</?([A-Za-z][^\s/>]*)|<!---?>|<!--|<[!?]|</?\Z")
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
    """Follows HTML in the order it is written; values may stand between two pieces.

    Equal ones go on alike: what matters no more is forgotten.
    """

    place: Place = Place.WORDS
    _element: str = ""  # one whose content is no HTML
    _attribute: str = ""
    _quote: str = ""
    _url: Place = Place.LINK  # how far into a link, when the attribute is one

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
        return self._in_attribute() if self.place is Place.ATTRIBUTE else self.place

    def _in_attribute(self) -> Place:
        if self._attribute.startswith("on") or self._attribute == "srcdoc":
            raise Refused(Code.UNSAFE, "No value may stand in a script.")
        if self._attribute == "style":
            return Place.STYLE
        if self._attribute not in _LINKS:
            return Place.ATTRIBUTE
        found = self._url
        if found is Place.LINK:
            self._url = Place.PATH
        return found

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
        elif not found[0].startswith("<!--"):
            element = (found[1] or "").lower()
            self.place = Place.TAG
            self._element = element if element in _RAW and not found[0].startswith("</") else ""
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
            self.place, self._attribute = self._behind_tag(), ""
        elif found["name"]:
            self._attribute = found["name"].lower()
        elif found["equals"]:
            self.place, self._quote = Place.ATTRIBUTE, found["quote"]
        return found.end()

    def _behind_tag(self) -> Place:
        if not self._element:
            return Place.WORDS
        return {"script": Place.SCRIPT, "style": Place.STYLE}.get(self._element, Place.PLAIN)

    def _value(self, text: str, at: int) -> int:
        if self._quote:
            end = text.find(self._quote, at)
        else:
            end = min((one for one in (text.find(sign, at) for sign in " \t\r\n>") if one >= 0), default=-1)
        if end < 0:
            self._url = _further(self._url, text[at:])
            return len(text)
        after = end + len(self._quote)
        self.place, self._attribute, self._quote, self._url = Place.TAG, "", "", Place.LINK
        return after

    def _raw(self, text: str, at: int) -> int:
        found = _RAW_ENDS[self._element].search(text, at)
        if not found:
            return len(text)
        self.place, self._element = Place.TAG, ""
        return found.end()


def _further(url: Place, text: str) -> Place:
    """Say how far into a URL one is behind this text of it; blanks before it are none of it."""
    if url is Place.QUERY or "?" in text or "#" in text:
        return Place.QUERY
    return Place.PATH if url is Place.PATH or text.strip() else Place.LINK
