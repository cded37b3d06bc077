"""Which providers take a tenant's mail: its own in their order, or the deployment's when it has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from uuid import UUID

from postroom.channels.email.providers import Provider, parse_provider
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.remembering import Memory
from postroom.tenants.secrets import Seal, Sealed

FRESH_SECONDS = 5.0

OWN = """
SELECT id, name, url, secret, secret_key_id FROM providers
WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s ORDER BY position
"""


@dataclass(frozen=True, slots=True)
class Ways:
    """What the deployment offers everybody, and whether a tenant's own servers must stand on the public network."""

    common: Sequence[Provider]
    public_only: bool


class ProviderBook:
    """Looks up providers per tenant and remembers them for a few seconds."""

    def __init__(self, database: Database, seal: Seal, ways: Ways) -> None:
        self._database = database
        self._seal = seal
        self._ways = ways
        self._providers = Memory(self._look_up, FRESH_SECONDS)

    async def providers_of(self, tenant_id: UUID) -> Sequence[Provider]:
        """Name a tenant's providers in order of preference."""
        return await self._providers.of(tenant_id)

    async def _look_up(self, tenant_id: UUID) -> Sequence[Provider]:
        async with self._database.tenant_transaction(tenant_id) as connection:
            rows = await connection.execute(OWN, {"tenant_id": tenant_id, "channel": ChannelKind.EMAIL})
            own = [self._read(tenant_id, row) async for row in rows]
        return own or self._ways.common

    def _read(self, tenant_id: UUID, row: Mapping[str, Any]) -> Provider:
        url = row["url"]
        if row["secret"] is not None:
            sealed = Sealed(row["secret_key_id"], row["secret"])
            url = with_password(url, self._seal.open(sealed, tenant_id=tenant_id, row_id=row["id"]))
        provider = parse_provider(url)
        return replace(provider, name=own_name(row["name"]), public_only=self._ways.public_only, owner=tenant_id)


def own_name(name: str) -> str:
    """Keep a name of a tenant's choosing apart from the relay whose journal is asked for evidence."""
    return f"own/{name}"


def with_password(url: str, password: str) -> str:
    """Put a password where a provider's URL has its place; the user name in it is percent-encoded already."""
    secret = quote(password, safe="")
    if url.startswith("preset:"):
        return f"{url}{'&' if '?' in url else '?'}password={secret}"
    return url.replace("@", f":{secret}@", 1)
