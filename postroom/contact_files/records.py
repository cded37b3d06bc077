"""Cuts the text of a CSV file (RFC 4180) into records, each with the line it begins in; holds one record at most."""

from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass, field

from postroom.errors import Invalid

RECORD_LENGTH = 65_536  # characters: more than everything that may be known of one person
UNCLOSED = "unclosed_quote"
TOO_LONG = "record_too_long"


@dataclass(frozen=True, slots=True)
class Record:
    """The text of one record as it stands in the file, and the line it begins in; `broken` is why it is none."""

    line: int
    text: str
    broken: str | None = None


class Decoder:
    """Reads UTF-8 with or without a byte order mark."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8-sig")("strict")

    def decode(self, octets: bytes, line: int, *, final: bool = False) -> str:
        """Return what the octets say; raises Invalid with the line up to which they did."""
        try:
            return self._decoder.decode(octets, final)
        except UnicodeDecodeError as error:
            line += octets[: max(0, error.start)].count(b"\n")
            detail = f"The file is not UTF-8; the first octets that are not stand in line {line}, or shortly after."
            raise Invalid(detail, code="invalid_encoding") from None


@dataclass(slots=True)
class Cutter:
    """Takes a file as it comes and gives back whole records.

    A line break within quotes belongs to its record. Quotes that are not closed within the length of a record break the
    line they begin in, and no more: what follows is read as lines of its own.
    """

    line: int = 1
    _decoder: Decoder = field(default_factory=Decoder)
    _tail: str = ""  # of a line that has not ended
    _skipping: bool = False  # the rest of a line that was too long
    _held: list[str] = field(default_factory=list)  # lines of a record whose quotes are open
    _held_length: int = 0

    def feed(self, octets: bytes) -> Iterator[Record]:
        """Take the next octets; raises Invalid when they are no UTF-8."""
        lines = (self._tail + self._decoder.decode(octets, self.line)).split("\n")
        self._tail = lines.pop()
        for line in lines:
            yield from self._take(line)
        if len(self._tail) > RECORD_LENGTH:
            if not self._skipping:
                yield from self._break()
            self._tail, self._skipping = "", True

    def end(self) -> Iterator[Record]:
        """Give back what is left at the end of the file."""
        last = self._tail + self._decoder.decode(b"", self.line, final=True)
        self._tail = ""
        if last or self._skipping:
            yield from self._take(last)
        while self._held:
            yield from self._give_up()

    def _take(self, line: str) -> Iterator[Record]:
        if self._skipping:
            self._skipping = False
            self.line += 1
            return
        if len(line) > RECORD_LENGTH:
            yield from self._break()
            self.line += 1
            return
        self._held.append(line)
        self._held_length += len(line) + 1
        if line.count('"') % 2 == (1 if len(self._held) > 1 else 0):
            text = "\n".join(self._held).removesuffix("\r")
            yield from self._given(text)
        elif self._held_length > RECORD_LENGTH:
            yield from self._give_up()

    def _given(self, text: str) -> Iterator[Record]:
        if len(text) > RECORD_LENGTH:
            yield Record(self.line, "", TOO_LONG)
        elif text.strip():
            yield Record(self.line, text)
        self.line += len(self._held)
        self._held, self._held_length = [], 0

    def _break(self) -> Iterator[Record]:
        """The line that comes now is too long; no record goes on through it."""
        while self._held:
            yield from self._give_up()
        yield Record(self.line, "", TOO_LONG)

    def _give_up(self) -> Iterator[Record]:
        """The first of the held lines opened quotes that nothing closed: it is broken, and the others are read anew."""
        lines, self._held, self._held_length = self._held, [], 0
        yield Record(self.line, "", UNCLOSED)
        self.line += 1
        for line in lines[1:]:
            yield from self._take(line)
