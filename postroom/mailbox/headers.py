"""Reads the header block of any mail, however hostile, quickly enough for the accepting path."""

import re
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header, make_header

HEADER_BLOCK_LIMIT = 64_000
# The encoded-word pattern of the standard library is quadratic in a line it cannot match.
DECODABLE_LIMIT = 4_000

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")

Headers = list[tuple[str, str]]


def read_headers(raw: bytes) -> Headers:
    """Return names and values in order, unfolded and decoded; a line that is no header ends the block."""
    block = raw[:HEADER_BLOCK_LIMIT].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    folded: list[list[bytes]] = []
    for line in block.split(b"\n"):
        if line[:1] in (b" ", b"\t") and folded:
            folded[-1].append(line)
        elif b":" in line:
            folded.append([line])
        else:
            break
    fields = (b"".join(lines).decode(errors="replace").partition(":") for lines in folded)
    return [(printable(name.strip()), decode_words(value.strip())) for name, _, value in fields]


def first(headers: Headers, name: str) -> str:
    """Return the first value under a lower-case name, empty when there is none."""
    return next((value for known, value in headers if known.lower() == name), "")


def decode_words(value: str) -> str:
    """Decode RFC 2047 words; what cannot be decoded stays as it was written."""
    if "=?" in value and len(value) <= DECODABLE_LIMIT:
        with suppress(HeaderParseError, LookupError, ValueError):
            value = str(make_header(decode_header(value)))
    return printable(value)


def printable(text: str) -> str:
    """Replace what could break a line, a log or an encoder."""
    return _CONTROL.sub("\ufffd", text)
