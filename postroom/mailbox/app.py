"""The page and the API of the mailbox as one ASGI application, closed to other sites."""

import sqlite3
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postroom.mailbox.answers import FILE_POLICY, PAGE_POLICY, problem
from postroom.mailbox.api import Api
from postroom.mailbox.desk import Desk
from postroom.mailbox.pages import Pages

_STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-DNS-Prefetch-Control": "off",
}


def create_app(desk: Desk, allowed_hosts: frozenset[str]) -> Starlette:
    """Build the application in front of one desk."""
    pages = Pages(desk)

    async def refuse(request: Request, error: Exception) -> Response:
        status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
        if status is HTTPStatus.NOT_FOUND and not request.url.path.startswith("/api/"):
            return pages.missing()
        return problem(status, status.name.lower(), f"{status.phrase}.")

    return Starlette(
        routes=[*pages.routes(), *Api(desk).routes(), *_static_routes()],
        middleware=[Middleware(Doorkeeper, allowed_hosts=allowed_hosts)],
        exception_handlers={HTTPException: refuse, sqlite3.Error: _journal_away},
    )


@dataclass(slots=True)
class Doorkeeper:
    """Answers only to its own names, and gives every answer the headers that keep other sites out.

    A site that rebinds its name to 127.0.0.1 sends that name as Host; refusing it keeps the mail unreadable to it.
    """

    app: ASGIApp
    allowed_hosts: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the Host header, then serve."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _EVERYWHERE.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", PAGE_POLICY)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if host_name(Headers(scope=scope).get("host", "")) in self.allowed_hosts:
            await self.app(scope, receive, send_with_headers)
        else:
            refusal = problem(HTTPStatus.BAD_REQUEST, "invalid_host", "This mailbox does not go by that name.")
            await refusal(scope, receive, send_with_headers)


def host_name(header: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


async def _journal_away(_request: Request, _error: Exception) -> Response:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "journal_unavailable", "The journal cannot be read now.")


def _static_routes() -> list[Route]:
    return [_static_route(path) for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES]


def _static_route(path: Path) -> Route:
    content, media_type = path.read_bytes(), _TYPES[path.suffix]

    async def serve(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers={"Content-Security-Policy": FILE_POLICY})

    return Route(f"/static/{path.name}", serve)
