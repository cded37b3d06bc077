"""A tenant's own ways out: where they are, in which order they are tried, and their passwords under seal."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from postroom.channels.email.providers import Provider, parse_provider
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import PROVIDER, new_id, parse_id
from postroom.limits.allowance import Meter
from postroom.limits.usage import used_today
from postroom.tenants.repository import Row
from postroom.tenants.secrets import Seal
from postroom.tenants.ways import own_name, with_password

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)

ADD = """
INSERT INTO providers (id, tenant_id, channel, position, name, url, secret, secret_key_id)
SELECT %(id)s, %(tenant_id)s, %(channel)s, coalesce(max(position), 0) + 1, %(name)s, %(url)s, %(secret)s, %(key_id)s
FROM providers WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s
ON CONFLICT (tenant_id, channel, name) DO NOTHING
RETURNING id, channel, position, name, url, secret IS NOT NULL AS has_password, created_at
"""
LIST = """
SELECT id, channel, position, name, url, secret IS NOT NULL AS has_password, created_at
FROM providers WHERE tenant_id = %s ORDER BY channel, position
"""
REMOVE = "DELETE FROM providers WHERE tenant_id = %s AND id = %s"


@dataclass(frozen=True, slots=True)
class NewProvider:
    """What an operator enters; the URL carries the user name, never the password."""

    name: str
    url: str
    password: str | None = None
    channel: ChannelKind = ChannelKind.EMAIL


class Providers:
    """One tenant's providers."""

    def __init__(self, database: Database, seal: Seal, tenant_id: UUID) -> None:
        self._database = database
        self._seal = seal
        self._tenant_id = tenant_id

    async def add(self, provider: NewProvider) -> Row:
        """Add a provider behind those of its channel that are there."""
        _check(provider)
        row_id = new_id()
        row = {
            "id": row_id,
            "tenant_id": self._tenant_id,
            "channel": provider.channel,
            "name": provider.name,
            "url": provider.url,
            "secret": None,
            "key_id": None,
        }
        if provider.password is not None:
            sealed = self._seal.seal(provider.password, tenant_id=self._tenant_id, row_id=row_id)
            row |= {"secret": sealed.content, "key_id": sealed.key_id}
        async with self._database.system_transaction() as connection:
            stored = await (await connection.execute(ADD, row)).fetchone()
        if stored is None:
            raise Conflict(f"There is a provider {provider.name!r} already.", code="name_taken")
        return stored

    async def all(self) -> Sequence[Row]:
        """Return the providers in the order they are tried, with weight, limits and what is used of them today.

        Of a password it says only whether there is one.
        """
        async with self._database.system_transaction() as connection:
            rows = await (await connection.execute(LIST, (self._tenant_id,))).fetchall()
            used = await used_today(connection, self._tenant_id)
        return [row | _traffic(self._read(row), used) for row in rows]

    async def remove(self, provider_id: str) -> None:
        """Take a provider away; mail on its way through it is not touched."""
        async with self._database.system_transaction() as connection:
            cursor = await connection.execute(REMOVE, (self._tenant_id, parse_id(PROVIDER, provider_id)))
        if cursor.rowcount == 0:
            raise NotFound("There is no such provider.")

    def _read(self, row: Row) -> Provider | None:
        """Read a stored URL; None where it cannot be used on this machine, for want of a certificate file perhaps."""
        try:
            provider = parse_provider(with_password(row["url"], "?") if row["has_password"] else row["url"])
        except Invalid:
            return None
        return replace(provider, name=own_name(row["name"]), owner=self._tenant_id)


async def deployed(database: Database, providers: Sequence[Provider]) -> Sequence[Row]:
    """Show the deployment's providers as a tenant's own are shown, without their URLs."""
    async with database.system_transaction() as connection:
        used = await used_today(connection, None)
    return [
        {"position": position, "name": one.name, "host": one.host, "port": one.port} | _traffic(one, used)
        for position, one in enumerate(providers, start=1)
    ]


def _traffic(provider: Provider | None, used: Mapping[Meter, int]) -> Row:
    if provider is None:
        return {"weight": None, "limits": None, "used_today": None}
    daily = provider.allowance.per_day is not None
    used_now = used.get(provider.meter, 0) if daily else None
    return {"weight": provider.weight, "limits": str(provider.allowance), "used_today": used_now}


def _check(provider: NewProvider) -> None:
    if not _NAME.fullmatch(provider.name):
        raise Invalid("A name is up to 100 letters, digits, dots, dashes or underscores.", code="invalid_name")
    try:
        parts = urlsplit(provider.url)
        inside = parts.password is not None or "password" in dict(parse_qsl(parts.query))
    except ValueError:
        inside = False  # the reader of URLs says what is wrong
    if inside:
        raise Invalid("The password does not belong in the URL; it is asked for.", code="password_in_url")
    parse_provider(provider.url if provider.password is None else with_password(provider.url, provider.password))
