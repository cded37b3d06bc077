"""Reads provider URLs. No text of an error repeats any part of the URL, because a password may be anywhere in it."""

import re
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from uuid import UUID

from postroom.channels.email.presets import PRESETS, Security
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import Invalid
from postroom.limits.allowance import Allowance, Meter

PER_CONNECTION = 100  # messages, after which the large mailbox providers like to see a new connection
_CONNECTIONS_LIMIT = 100
_PER_CONNECTION_LIMIT = 10_000
_SCHEMES = {
    "smtp": (Security.NONE, 25),
    "smtp+starttls": (Security.STARTTLS, 587),
    "smtps": (Security.TLS, 465),
}
_WEIGHT_LIMIT = 100
_PER_SECOND_LIMIT = 10_000
_PER_MINUTE_LIMIT = 1_000_000
_PER_DAY_LIMIT = 100_000_000
_OPTIONS = ("name", "connections", "per_connection", "tls_ca", "weight", "per_second", "per_minute", "per_day")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


@dataclass(frozen=True, slots=True)
class Provider:
    """One server that takes mail. Equal providers share connections; a changed password makes another provider.

    `connections` is the provider's own cap where the deployment's does not apply. `public_only` is for servers that a
    tenant named, whose id is `owner`: they must stand on the public network. Weight and allowance may change while the
    connections stay.
    """

    name: str
    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connections: int | None = None
    per_connection: int = PER_CONNECTION
    tls_ca: Path | None = None
    public_only: bool = False
    owner: UUID | None = None
    weight: int | None = field(default=None, compare=False)
    allowance: Allowance = field(default=Allowance(), compare=False)

    @property
    def meter(self) -> Meter:
        """Under which name its limits are counted."""
        return Meter(ChannelKind.EMAIL, self.name, self.owner)

    def __post_init__(self) -> None:
        if self.username is not None and self.security is Security.NONE and not is_loopback(self.host):
            raise _bad("credentials need smtps:// or smtp+starttls:// unless the host is this machine")


def parse_providers(text: str) -> tuple[Provider, ...]:
    """Read provider URLs in order of preference, separated by blanks.

    Raises:
        Invalid: `invalid_provider_url`; also when two have the same name, because the ledger tells them apart by it.
    """
    providers = tuple(parse_provider(url) for url in text.split())
    if len({provider.name for provider in providers}) != len(providers):
        raise _bad("two of them have the same name; give one a name=")
    return providers


def parse_provider(url: str) -> Provider:
    """Read `smtp://`, `smtp+starttls://`, `smtps://` or `preset:name?...`; user and password are percent-encoded.

    Options: `name`, `connections`, `per_connection`, `tls_ca` (a file of certificates to trust instead of the
    system's), `weight`, `per_second`, `per_minute`, `per_day`; for presets also `username`, `password` and `region`.

    Raises:
        Invalid: `invalid_provider_url`, saying what is wrong and never what stands there.
    """
    try:
        parts = urlsplit(url.strip())
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _bad("it is not a URL; percent-encode signs in user and password") from error
    read = dict(options)
    if len(read) != len(options):
        raise _bad("an option is given twice")
    if parts.fragment or parts.scheme not in {*_SCHEMES, "preset"}:
        raise _bad("it must begin with smtp://, smtp+starttls://, smtps:// or preset:, and # must be written as %23")
    return _from_preset(parts.path, read) if parts.scheme == "preset" else _from_server(parts, read)


def is_loopback(host: str) -> bool:
    """Whether a host can only be this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _from_server(parts: SplitResult, options: dict[str, str]) -> Provider:
    security, default_port = _SCHEMES[parts.scheme]
    try:
        port = parts.port or default_port
    except ValueError as error:
        raise _bad("the port must be a number up to 65535") from error
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or parts.path not in {"", "/"}:
        raise _bad("the host is missing or malformed; percent-encode signs in user and password")
    if (parts.username is None) != (parts.password is None):
        raise _bad("user and password come together")
    username, password = (unquote(part) if part is not None else None for part in (parts.username, parts.password))
    return _provider(Provider(f"{host}:{port}", host, port, security, username, password), options)


def _from_preset(name: str, options: dict[str, str]) -> Provider:
    preset = PRESETS.get(name)
    if preset is None:
        raise _bad(f"there is no such preset; there are {', '.join(PRESETS)}")
    username = options.pop("username", preset.username)
    password = options.pop("password", None)
    if not username or not password:
        raise _bad(f"preset:{name} needs {'username and ' if preset.username is None else ''}password")
    host = preset.host
    if "{region}" in host:
        region = options.pop("region", "")
        if not _REGION.fullmatch(region):
            raise _bad(f"preset:{name} needs region, such as eu-west-1")
        host = host.format(region=region)
    return _provider(Provider(name, host, preset.port, preset.security, username, password), options)


def _provider(plain: Provider, options: dict[str, str]) -> Provider:
    if not options.keys() <= set(_OPTIONS):
        raise _bad(f"there is an unknown option; there are {', '.join(_OPTIONS)}")
    tls_ca = Path(options["tls_ca"]) if "tls_ca" in options else None
    if tls_ca is not None and not tls_ca.is_file():
        raise _bad("tls_ca names no file")
    name = options.get("name", plain.name)
    if not _NAME.fullmatch(name):
        raise _bad("name must be letters, digits, dots, dashes or underscores, at most 100")
    return replace(
        plain,
        name=name,
        connections=_count(options, "connections", _CONNECTIONS_LIMIT),
        per_connection=_count(options, "per_connection", _PER_CONNECTION_LIMIT) or PER_CONNECTION,
        tls_ca=tls_ca,
        weight=_count(options, "weight", _WEIGHT_LIMIT),
        allowance=_allowance(options),
    )


def _allowance(options: dict[str, str]) -> Allowance:
    return Allowance(
        per_second=_count(options, "per_second", _PER_SECOND_LIMIT),
        per_minute=_count(options, "per_minute", _PER_MINUTE_LIMIT),
        per_day=_count(options, "per_day", _PER_DAY_LIMIT),
    )


def _count(options: dict[str, str], name: str, limit: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text) or int(text) > limit:
        raise _bad(f"{name} must be a number from 1 to {limit}")
    return int(text)


def _bad(what: str) -> Invalid:
    return Invalid(f"The provider URL cannot be used: {what}.", code="invalid_provider_url")
