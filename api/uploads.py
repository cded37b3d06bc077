"""Hands a route the file that is sent to it as it comes: the body itself, or the one part of a form."""

import asyncio
import re
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect

from api.bodies import PIECE_SECONDS, TooSlow, UnsupportedMediaType
from postroom.errors import Invalid

WHOLE_SECONDS = 3_600.0  # a file of contacts over a slow line
HEAD_BYTES = 8_192
PART = "file"

_BOUNDARY = re.compile(r'boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_NAME = re.compile(
    r'^content-disposition:\s*form-data;(?:[^\r\n]*;)?\s*name="?([^";\r\n]*)"?', re.IGNORECASE | re.MULTILINE
)


def file_of(request: Request) -> AsyncIterator[bytes]:
    """Return the octets of the file a request brings.

    Raises:
        UnsupportedMediaType: it says that it is neither CSV nor a form.
    """
    given = request.headers.get("content-type", "")
    media_type = given.partition(";")[0].strip().lower()
    if media_type == "text/csv":
        return _octets(request)
    boundary = _BOUNDARY.search(given)
    if media_type == "multipart/form-data" and boundary:
        return _part(_octets(request), (boundary[1] or boundary[2]).encode())
    raise UnsupportedMediaType("Files are text/csv, or multipart/form-data with the part `file`.")


async def _octets(request: Request) -> AsyncIterator[bytes]:
    """Yield the body; raises TooSlow when its sender falls silent or leaves."""
    stream = request.stream()
    end = asyncio.get_running_loop().time() + WHOLE_SECONDS
    while True:
        try:
            async with asyncio.timeout_at(min(end, asyncio.get_running_loop().time() + PIECE_SECONDS)):
                yield await anext(stream)
        except StopAsyncIteration:
            return
        except (TimeoutError, ClientDisconnect):
            raise TooSlow("The body did not arrive in time.") from None


async def _part(octets: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """Yield the content of the one part a form has (RFC 7578); raises Invalid for any other form."""
    fence, held = b"\r\n--" + boundary, b"\r\n"
    began = False
    async for some in octets:
        held += some
        if not began:
            head, blank, rest = held.partition(b"\r\n\r\n")
            if not blank:
                _check_head(held)
                continue
            _check_part(head, fence)
            began, held = True, b"\r\n" + rest
            first = True
        content, found, rest = held.partition(fence)
        if found:
            async for more in octets:
                rest += more[:HEAD_BYTES]
            if content:
                yield content[2:] if first else content
            _check_end(rest)
            return
        if len(held) > len(fence) + 2:
            cut = len(held) - len(fence)
            yield held[2:cut] if first else held[:cut]
            held, first = held[cut:], False
    raise Invalid("The form breaks off.", code="malformed_form")


def _check_head(held: bytes) -> None:
    if len(held) > HEAD_BYTES:
        raise Invalid("The form does not begin with a part.", code="malformed_form")


def _check_part(head: bytes, fence: bytes) -> None:
    name = _NAME.search(head.decode("latin-1").replace("\r\n", "\n"))
    if not head.startswith(fence) or name is None or name[1] != PART:
        raise Invalid(
            "The form has one part, `file`; everything else is asked for in the query.", code="malformed_form"
        )


def _check_end(rest: bytes) -> None:
    if rest.strip() != b"--":
        raise Invalid(
            "The form has one part, `file`; everything else is asked for in the query.", code="malformed_form"
        )
