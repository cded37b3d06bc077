"""What the tests of the e-mail channel share: a parcel, short patience, certificates, and a channel over servers."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from postroom.channels.base import Parcel
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.timing import Timing
from tests.channels.email.scripted import Scripted

DOMAIN = "postroom.example"
TENANT = UUID(int=7)
SHORT = replace(
    Timing(),
    connect_patience=timedelta(seconds=1),
    command_patience=timedelta(seconds=0.3),
    hand_off_patience=timedelta(seconds=0.5),
    outage_first=timedelta(seconds=0.2),
    outage_last=timedelta(seconds=0.5),
)


@dataclass
class Marker:
    """A mark that says what it is told and remembers what it was asked."""

    verdict: bool = True
    after: Callable[[], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        self.asked: list[tuple[bytes, str]] = []

    async def __call__(self, message: bytes | None, provider: str) -> bool:
        assert message is not None
        self.asked.append((message, provider))
        if self.after:
            await self.after()
        return self.verdict


def waiting(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    """What a mark does that takes until an event."""

    async def wait() -> None:
        await event.wait()

    return wait


@dataclass(frozen=True)
class Certificates:
    """A server's TLS context for 127.0.0.1, and the authority a client must trust to believe it."""

    server: ssl.SSLContext
    authority: Path


@pytest.fixture
def mark() -> Marker:
    return Marker()


@pytest.fixture
def parcel() -> Parcel:
    return new_parcel()


def new_parcel(number: int = 1, /, **changes: Any) -> Parcel:
    plain = Parcel(
        delivery_id=UUID(int=number),
        notification_id=UUID(int=1000 + number),
        tenant_id=TENANT,
        address="ada@example.com",
        sender="Postroom <no-reply@postroom.example>",
        resolved_at=dt.datetime(2026, 11, 20, 11, 0, tzinfo=dt.UTC),
        title="Shipped",
        body_text="It is on its way.\n",
        body_html="<p>It is on its way.</p>",
    )
    return replace(plain, **changes)


def provider_at(port: int, **changes: Any) -> Provider:
    return replace(Provider(f"127.0.0.1:{port}", "127.0.0.1", port, Security.NONE), **changes)


class Net:
    """Starts scripted servers and channels over them; all of them end with the test."""

    def __init__(self) -> None:
        self._servers: list[Scripted] = []
        self._channels: list[EmailChannel] = []

    async def serve(self, **settings: Any) -> Scripted:
        """Start a scripted server."""
        self._servers.append(await Scripted(**settings).__aenter__())
        return self._servers[-1]

    def channel(self, *targets: Scripted | Provider, timing: Timing = SHORT, **changes: Any) -> EmailChannel:
        """Make a channel over servers or providers, in order."""
        providers = [provider_at(one.port) if isinstance(one, Scripted) else one for one in targets]

        async def providers_of(tenant_id: UUID) -> Sequence[Provider]:
            assert tenant_id == TENANT
            return providers

        options = replace(EmailOptions(DOMAIN, 4), **changes)
        return self.keep(EmailChannel(providers_of, timing, options))

    def keep(self, channel: EmailChannel) -> EmailChannel:
        """End this channel with the test."""
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        """End the channels, then the servers."""
        for channel in self._channels:
            await channel.close()
        for server in self._servers:
            await server.__aexit__(None, None, None)


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    """A net of this machine only."""
    opened = Net()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Postroom test authority")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    authority = folder / "authority.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, secret)
    return Certificates(context, authority)
