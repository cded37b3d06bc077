"""Reads a request's body before anything else does: bounded, in time, and as JSON where the API is asked."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem
from postroom.errors import PostroomError, TooLarge

BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PIECE_SECONDS = 20.0  # a sender that is silent for longer has lost its turn
WHOLE_SECONDS = 120.0  # and so has one whose body takes longer, however steadily it drips


class UnsupportedMediaType(PostroomError):
    """The body is not JSON, or says that it is something else."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class TooSlow(PostroomError):
    """The body did not come."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "request_timeout"


class Disconnected(Exception):
    """The sender left before the body was complete; there is nobody to answer."""


class BodyMiddleware:
    """Hands the application whole bodies of at most `limit` bytes."""

    def __init__(
        self, app: ASGIApp, limit: int, open_paths: Mapping[str, int], file_paths: frozenset[str] = frozenset()
    ) -> None:
        """Take the paths below which bodies are what others post by their own rules: anything, up to so many bytes.

        To `file_paths` files are posted, which their routes read as they come.
        """
        self._app = app
        self._limit = limit
        self._open_paths = open_paths
        self._file_paths = file_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in BODY_METHODS or scope["path"] in self._file_paths:
            await self._app(scope, receive, send)
            return
        try:
            limits = [limit for path, limit in self._open_paths.items() if scope["path"].startswith(path)]
            body = await self._read(scope, receive, min([self._limit, *limits]))
            if not limits:
                _check_type(scope, body)
        except Disconnected:
            return
        except PostroomError as error:
            await Problem.of(error).response(scope["exchange"].id)(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive, limit: int) -> bytes:
        if _announced(scope) > limit:
            raise _too_large(limit)
        pieces, size, more = [], 0, True
        clock = asyncio.get_running_loop().time
        end = clock() + WHOLE_SECONDS
        while more:
            try:
                async with asyncio.timeout_at(min(end, clock() + PIECE_SECONDS)):
                    message = await receive()
            except TimeoutError:
                raise TooSlow("The body did not arrive in time.") from None
            if message["type"] == "http.disconnect":
                raise Disconnected
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > limit:
                raise _too_large(limit)
            more = message.get("more_body", False)
        return b"".join(pieces)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"A body has at most {limit} bytes.")


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _check_type(scope: Scope, body: bytes) -> None:
    if not body:
        return
    given = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    media_type = given.partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        raise UnsupportedMediaType("Bodies are application/json.")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body once, then whatever the connection says."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
