"""The outermost layer: an exchange has an id and its rate numbers, leaves one line in the log, and leaks no trace."""

import logging
import re
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem
from postroom.errors import PostroomError
from postroom.identity import new_id
from postroom.rates import Standing

log = logging.getLogger("api.access")

_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SILENT = frozenset({"/health", "/ready", "/api/v1/health", "/api/v1/ready"})


@dataclass(slots=True)
class Exchange:
    """One request and its answer."""

    id: str
    started: float
    status: int = 0
    tenant: str = "-"
    standing: Standing | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields every answer carries."""
        fields = [(b"x-request-id", self.id.encode()), (b"x-content-type-options", b"nosniff")]
        if self.standing is not None:
            fields += [
                (b"ratelimit-limit", b"%d" % self.standing.limit),
                (b"ratelimit-remaining", b"%d" % self.standing.remaining),
                (b"ratelimit-reset", b"%d" % self.standing.reset),
            ]
        return fields


class ExchangeMiddleware:
    """Opens an exchange for each request and closes it whatever happens inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope["exchange"] = Exchange(_request_id(scope), time.perf_counter())

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *exchange.headers()]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            log.exception("%s failed", exchange.id)
            if exchange.status:
                raise
            problem = Problem.of(PostroomError("Something went wrong here; the request id finds it in our log."))
            await problem.response(exchange.id)(scope, receive, answer)
        finally:
            _tell(scope, exchange)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN_ID.fullmatch(value):
            return str(value, "ascii")
    return new_id().hex


def _tell(scope: Scope, exchange: Exchange) -> None:
    """Write the route, never the path: paths and queries hold a tenant's user ids."""
    if scope["path"] in _SILENT:
        return
    route = getattr(scope.get("route"), "path_format", "-").removeprefix("/api/v1")
    spent = (time.perf_counter() - exchange.started) * 1_000
    log.info(
        "%s %s %d %.1f ms tenant=%s request=%s",
        scope["method"], route, exchange.status, spent, exchange.tenant, exchange.id,
    )  # fmt: skip
