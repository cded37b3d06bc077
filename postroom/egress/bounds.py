"""How much a receiver may say: an answer is read in small pieces, and only so much of it."""

import ssl
from typing import Any

import httpcore2
import httpx2

ANSWER_LIMIT = 65_536  # bytes of one connection: interim answers, head and body together
PIECE = 4_096  # parsing one takes a few milliseconds at worst; between two of them others have their turn


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """A transport that keeps no connection, asks no proxy, and stops reading where an answer becomes too long."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        # The transport does not hand this choice through to its pool.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context, max_connections=None, max_keepalive_connections=0, network_backend=_Network()
        )


class _Network(httpcore2.AnyIOBackend):
    async def connect_tcp(self, host: str, port: int, *how: Any, **more: Any) -> httpcore2.AsyncNetworkStream:  # noqa: ANN401
        return _Stream(await super().connect_tcp(host, port, *how, **more))


class _Stream(httpcore2.AsyncNetworkStream):
    """One connection; what TLS itself exchanges is not counted."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = ANSWER_LIMIT

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self._left == 0:
            raise httpcore2.RemoteProtocolError(f"The answer has more than {ANSWER_LIMIT} bytes.")
        data = await self._stream.read(min(max_bytes, PIECE, self._left), timeout)
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the signature is the library's
        return self._stream.get_extra_info(info)
