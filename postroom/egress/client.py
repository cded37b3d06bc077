"""The one HTTP client for what a tenant can name: resolve, check, pin, connect; no redirects, no state, all bounded."""

import asyncio
import ssl
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import httpx2

from postroom.egress.bounds import BoundedTransport
from postroom.egress.reach import AddressInfo, BlockedError, resolve
from postroom.egress.targets import Target

BODY_LIMIT = 4096  # of an answer's body, this much is looked at
AFTER_CONNECT = "http11.send_request_headers.started"

Ready = Callable[[], Awaitable[bool]]
Resolver = Callable[[str, int], Awaitable[Sequence[AddressInfo]]]


class UnreachableError(Exception):
    """Nothing was sent: no name, no connection, no TLS. `reason` is a snake_case code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class NoAnswerError(Exception):
    """The request went out, at least in part, and no proper answer came. `reason` is a snake_case code."""

    def __init__(self, reason: str, detail: str, latency: timedelta) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.latency = latency


class WithdrawnError(Exception):
    """The connection stood and `ready` said no; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted; or asked for, with another method and nothing in it."""

    target: Target
    headers: Mapping[str, str]
    content: bytes
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: header names in lower case, the beginning of the body, and how long it took from `ready` on."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    latency: timedelta


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection (name, TCP and TLS together), an answer, and then the words of this answer may take."""

    connect: timedelta
    answer: timedelta
    words: timedelta


@cache
def trusted() -> ssl.SSLContext:
    """What this system trusts, read once: reading it takes longer than most requests."""
    return ssl.create_default_context()


class EgressClient:
    """Posts to where tenants say, from a network on which they have no business.

    Every request resolves anew and connects to the addresses that were checked, under the name's certificate; a name
    that moves between check and connection moves nothing. Connections are not kept: the next tenant's request to the
    same address must prove its own name. No cookies, no proxies of the environment, no redirects.
    """

    def __init__(
        self,
        patience: Patience,
        *,
        public_only: bool,
        context: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._patience = patience
        self._public_only = public_only
        self._resolver = resolver or self._resolve
        self._transport = BoundedTransport(context or trusted())

    async def post(self, letter: Letter, ready: Ready) -> Reply:
        """Post a letter; `ready` is asked once, when the connection stands and before the first byte of the request.

        Raises:
            UnreachableError: nothing was sent.
            WithdrawnError: `ready` said no.
            NoAnswerError: it was sent, and no answer came in time or in HTTP.
            Whatever `ready` raises.
        """
        exchange = _Exchange(letter, ready, self._patience)
        try:
            async with asyncio.timeout(self._patience.connect.total_seconds()) as clock:
                exchange.clock = clock
                addresses = await self._resolver(letter.target.host, letter.target.port)
                response = await self._first(exchange, [str(address[0]) for *_, address in addresses])
                return await exchange.read(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ssl.SSLError, TimeoutError) as error:
            raise exchange.explained(error) from error

    async def close(self) -> None:
        """Let go of what is open."""
        await self._transport.aclose()

    async def _first(self, exchange: "_Exchange", addresses: list[str]) -> httpx2.Response:
        """Try the checked addresses in order, as long as nothing was sent."""
        failure: Exception = OSError("The name has no address.")
        for address in dict.fromkeys(addresses):
            try:
                return await self._transport.handle_async_request(exchange.request(address))
            except httpx2.ConnectError as error:
                if exchange.begun_at is not None:
                    raise
                failure = error
        raise failure

    async def _resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        return await resolve(host, port, public_only=self._public_only)


class _Exchange:
    """One request and how far it came."""

    clock: asyncio.Timeout

    def __init__(self, letter: Letter, ready: Ready, patience: Patience) -> None:
        self._letter = letter
        self._ready = ready
        self._patience = patience
        self.begun_at: float | None = None

    def request(self, address: str) -> httpx2.Request:
        """The request as it goes to one address: connected by number, spoken to and verified by name."""
        target = self._letter.target
        host = f"[{address}]" if ":" in address else address
        return httpx2.Request(
            self._letter.method,
            f"{target.scheme}://{host}:{target.port}{target.path}",
            headers={"Host": target.authority, "Connection": "close", **self._letter.headers},
            content=self._letter.content,
            extensions={"sni_hostname": target.host, "trace": self._trace, "timeout": {}},
        )

    async def read(self, response: httpx2.Response) -> Reply:
        """Take the status and the beginning of the body; what drips or does not end is cut off."""
        latency = self._latency()
        body = b""
        try:
            self.clock.reschedule(None)
            async with asyncio.timeout(self._patience.words.total_seconds()):
                async for piece in _pieces(response):
                    body += piece[: BODY_LIMIT - len(body)]
                    if len(body) >= BODY_LIMIT:
                        break
        except (httpx2.HTTPError, OSError, TimeoutError):
            pass  # the status stands
        finally:
            await response.aclose()
        return Reply(response.status_code, dict(response.headers.items()), body, latency)

    def explained(self, error: Exception) -> UnreachableError | NoAnswerError:
        """Say what an error means; after the beginning the receiver may have the message."""
        late = isinstance(error, TimeoutError | httpx2.TimeoutException)
        words = "It took too long." if late else str(error) or type(error).__name__
        if self.begun_at is not None:
            broken = isinstance(error, httpx2.RemoteProtocolError) and "disconnected" not in words
            return NoAnswerError("protocol_error" if broken else "no_answer", words, self._latency())
        if isinstance(error, BlockedError):
            return UnreachableError("blocked_destination", words)
        if any(isinstance(one, ssl.SSLError) for one in _causes(error)):
            return UnreachableError("tls_failed", words)
        return UnreachableError("destination_unreachable", words)

    async def _trace(self, event: str, _: Mapping[str, Any]) -> None:
        if event != AFTER_CONNECT:
            return
        self.clock.reschedule(None)
        if not await self._ready():
            raise WithdrawnError
        now = asyncio.get_running_loop().time()
        self.begun_at = now
        self.clock.reschedule(now + self._patience.answer.total_seconds())

    def _latency(self) -> timedelta:
        now = asyncio.get_running_loop().time()
        return timedelta(seconds=now - (self.begun_at or now))


def _pieces(response: httpx2.Response) -> AsyncIterable[bytes]:
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        raise TypeError("The transport gave a stream of another kind.")
    return response.stream


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
