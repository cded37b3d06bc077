"""Opens connections: greeting, EHLO, TLS and AUTH by aiosmtplib, then the transport is ours to speak over."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import aiosmtplib

from postroom.channels.base import Answer, Phase, Verdict
from postroom.channels.email.answers import clean_detail
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider, is_loopback
from postroom.channels.email.replies import CLOSING, Reply
from postroom.channels.email.wire import Wire
from postroom.egress.reach import BlockedError, connect_public
from postroom.timing import Timing

_AUTH_METHODS = ("plain", "login", "cram-md5")
_REPLY_CODES = range(200, 600)


@dataclass(slots=True)
class Connection:
    """One authenticated connection and what its server can do. `used` counts messages."""

    provider: Provider
    wire: Wire
    features: Mapping[str, str]
    used: int = 0
    envelope_open: bool = field(default=False)  # the next message must say RSET first

    @property
    def reusable(self) -> bool:
        """Whether another message may go over it."""
        return self.wire.lost is None and self.used < self.provider.per_connection


class UnreachableError(Exception):
    """There is no connection; `answer` says why, in the words of a hand-off."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


class _RefusalError(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Dialer:
    """Opens connections to one provider."""

    def __init__(self, provider: Provider, timing: Timing, own_name: str) -> None:
        """Take the name to say in EHLO: a domain of ours."""
        self._provider = provider
        self._patience = timing.connect_patience.total_seconds()
        self._own_name = own_name
        self._context: ssl.SSLContext | None = None

    async def dial(self) -> Connection:
        """Return a connection ready for MAIL.

        Raises:
            UnreachableError: with the answer for whoever wanted to send.
        """
        smtp: aiosmtplib.SMTP | None = None
        handed_over = False
        try:
            async with asyncio.timeout(self._patience):
                smtp = await self._client()
                await smtp.connect()
                await smtp.ehlo()
                await self._protect(smtp)
                await self._authenticate(smtp)
                connection = self._hand_over(smtp)
                handed_over = True
                return connection
        except (OSError, aiosmtplib.SMTPException, ValueError, _RefusalError) as error:
            raise UnreachableError(_explained(error, self._provider.name)) from error
        finally:
            if smtp and not handed_over:
                smtp.close()

    async def _client(self) -> aiosmtplib.SMTP:
        provider = self._provider
        context = await self._tls_context() if provider.security is not Security.NONE else None
        sock = await connect_public(provider.host, provider.port) if provider.public_only else None
        return aiosmtplib.SMTP(
            hostname=provider.host,
            port=None if sock else provider.port,
            sock=sock,
            local_hostname=self._own_name,
            timeout=self._patience,
            use_tls=provider.security is Security.TLS,
            start_tls=False,
            tls_context=context,
        )

    async def _tls_context(self) -> ssl.SSLContext:
        """Build the context once: reading the system's certificates takes some 20 ms."""
        if self._context is None:
            ca = self._provider.tls_ca
            self._context = await asyncio.to_thread(ssl.create_default_context, cafile=str(ca) if ca else None)
        return self._context

    async def _protect(self, smtp: aiosmtplib.SMTP) -> None:
        if self._provider.security is not Security.STARTTLS:
            return
        if not smtp.supports_extension("starttls"):
            raise _RefusalError("tls_required", "The server does not offer STARTTLS.")
        try:
            await smtp.starttls(tls_context=await self._tls_context())
        except aiosmtplib.SMTPResponseException as error:
            raise _RefusalError("tls_required", f"The server refused STARTTLS: {error.message}") from error
        await smtp.ehlo()  # what was said before TLS may have been anybody's (RFC 3207 section 4.2)

    async def _authenticate(self, smtp: aiosmtplib.SMTP) -> None:
        """Try one method only: three wrong answers in a row lock accounts."""
        username, password = self._provider.username, self._provider.password or ""
        if username is None:
            return
        if self._provider.security is Security.NONE and not is_loopback(smtp.get_transport_info("peername")[0]):
            raise _RefusalError("tls_required", "Credentials are not sent without TLS past this machine.")
        method = next((method for method in _AUTH_METHODS if method in smtp.server_auth_methods), None)
        if method == "plain":
            await smtp.auth_plain(username, password)
        elif method == "login":
            await smtp.auth_login(username, password)
        elif method == "cram-md5":
            await smtp.auth_crammd5(username, password)
        else:
            raise _RefusalError("provider_auth_failed", "The server offers no way to sign in that is known here.")

    def _hand_over(self, smtp: aiosmtplib.SMTP) -> Connection:
        wire = Wire(cast("asyncio.Transport", smtp.transport))
        return Connection(self._provider, wire, dict(smtp.esmtp_extensions))


def _explained(error: Exception, provider: str) -> Answer:
    detail = clean_detail(str(getattr(error, "message", error)) or "No connection in time.")
    reply = _reply(error)
    code = reply.code if reply else None
    enhanced = reply.enhanced if reply else None
    return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, _reason(error, reply), provider, code, enhanced, detail)


def _reply(error: Exception) -> Reply | None:
    """What the server said, when it said something that SMTP knows; the library gives other nonsense a code of -1."""
    if isinstance(error, aiosmtplib.SMTPResponseException) and error.code in _REPLY_CODES:
        return Reply(error.code, error.message)
    return None


def _reason(error: Exception, reply: Reply | None) -> str:
    if isinstance(error, _RefusalError):
        return error.reason
    if isinstance(error, BlockedError):
        return "blocked_destination"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _refused_reason(error, reply)
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return "tls_failed"
    return "protocol_error" if isinstance(error, ValueError) else "provider_unreachable"


def _refused_reason(error: aiosmtplib.SMTPResponseException, reply: Reply | None) -> str:
    if reply and isinstance(error, aiosmtplib.SMTPAuthenticationError) and reply.code != CLOSING:
        return "provider_auth_failed"
    if reply and reply.temporary:
        return "provider_busy"
    return "provider_unreachable" if reply and reply.permanent else "protocol_error"
