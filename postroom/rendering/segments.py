"""How many parts a text takes as an SMS (3GPP TS 23.038): 160 letters of its alphabet, or 70 of any other."""

from dataclasses import dataclass
from enum import StrEnum

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("^{}\\[~]|€\f")  # two letters each


class Alphabet(StrEnum):
    """What an SMS is spelled in."""

    GSM = "gsm-7"
    UNICODE = "ucs-2"


ALONE = {Alphabet.GSM: 160, Alphabet.UNICODE: 70}
JOINED = {Alphabet.GSM: 153, Alphabet.UNICODE: 67}


@dataclass(frozen=True, slots=True)
class Segments:
    """The size of a text as an SMS; `units` are letters of its alphabet."""

    alphabet: Alphabet
    units: int
    count: int


def segments(text: str) -> Segments:
    """Count; a text of one part may be longer than each part of several."""
    letters = set(text)
    alphabet = Alphabet.GSM if letters <= _GSM | _ESCAPED else Alphabet.UNICODE
    sizes = [_size(letter, alphabet) for letter in text]
    if sum(sizes) <= ALONE[alphabet]:
        return Segments(alphabet, sum(sizes), 1 if text else 0)
    count, room = 1, JOINED[alphabet]
    for size in sizes:  # a letter of two units is never split
        if size > room:
            count, room = count + 1, JOINED[alphabet]
        room -= size
    return Segments(alphabet, sum(sizes), count)


def _size(letter: str, alphabet: Alphabet) -> int:
    if alphabet is Alphabet.GSM:
        return 2 if letter in _ESCAPED else 1
    return len(letter.encode("utf-16-be", "surrogatepass")) // 2
