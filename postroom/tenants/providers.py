"""A tenant's own ways out: where they are, in which order they are tried, and their passwords under seal."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from postroom.channels.email.providers import parse_provider
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import PROVIDER, new_id, parse_id
from postroom.tenants.repository import Row
from postroom.tenants.secrets import Seal
from postroom.tenants.ways import with_password

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
        """Return the providers in the order they are tried; of a password only whether there is one."""
        async with self._database.system_transaction() as connection:
            return await (await connection.execute(LIST, (self._tenant_id,))).fetchall()

    async def remove(self, provider_id: str) -> None:
        """Take a provider away; mail on its way through it is not touched."""
        async with self._database.system_transaction() as connection:
            cursor = await connection.execute(REMOVE, (self._tenant_id, parse_id(PROVIDER, provider_id)))
        if cursor.rowcount == 0:
            raise NotFound("There is no such provider.")


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
