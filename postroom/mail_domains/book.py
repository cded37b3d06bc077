"""What the sending side knows of domains: the keys that sign for them now, and where their bounces return to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from postroom.channels.email.signing import SigningKey
from postroom.database.engine import Database
from postroom.mail_domains.models import DomainState, KeyState
from postroom.mail_domains.pairs import read_private
from postroom.remembering import REMEMBERED, Memory
from postroom.tenants.secrets import Seal, Sealed

FRESH_SECONDS = 5.0

# RSA first: those who know one algorithm only look at the first signature.
# A domain's own bounces return below it as long as DNS says that somebody takes them.
DOMAINS = f"""
SELECT k.id, m.tenant_id, m.domain, k.selector, k.secret, k.secret_key_id,
       CASE WHEN m.state = '{DomainState.READY}' THEN m.bounce_domain END AS bounces
FROM mail_domains m LEFT JOIN mail_domain_keys k ON k.domain_id = m.id AND k.state = '{KeyState.ACTIVE}'
WHERE m.tenant_id = %(tenant_id)s
ORDER BY k.algorithm DESC
"""


@dataclass(frozen=True, slots=True)
class Known:
    """One domain: the keys that sign for it, and where its bounces return to when not to the deployment's domain."""

    keys: list[SigningKey] = field(default_factory=list)
    bounces: str | None = None


class DomainBook:
    """Looks up a tenant's domains and remembers them for a few seconds."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._domains = Memory(self._look_up, FRESH_SECONDS)
        self._opened: dict[UUID, SigningKey] = {}

    async def keys_of(self, tenant_id: UUID, domain: str) -> Sequence[SigningKey]:
        """Return the keys that sign for a From domain of this tenant; none when it has none."""
        known = (await self._domains.of(tenant_id)).get(domain)
        return tuple(known.keys) if known else ()

    async def bounces_of(self, tenant_id: UUID, domain: str) -> str | None:
        """Return the domain to which bounces of a From domain return; None when the tenant has none for it."""
        known = (await self._domains.of(tenant_id)).get(domain)
        return known.bounces if known else None

    async def _look_up(self, tenant_id: UUID) -> Mapping[str, Known]:
        async with self._database.tenant_transaction(tenant_id) as connection:
            rows = await (await connection.execute(DOMAINS, {"tenant_id": tenant_id})).fetchall()
        found: dict[str, Known] = {}
        for row in rows:
            known = found.setdefault(row["domain"], Known(bounces=row["bounces"]))
            if row["id"] is not None:
                known.keys.append(self._open(row))
        return found

    def _open(self, row: Mapping[str, Any]) -> SigningKey:
        """Open a key once: its numbers take longer to read than a signature takes to make."""
        if row["id"] not in self._opened:
            if len(self._opened) >= REMEMBERED:
                self._opened.clear()
            sealed = Sealed(row["secret_key_id"], row["secret"])
            secret = self._seal.open(sealed, tenant_id=row["tenant_id"], row_id=row["id"])
            self._opened[row["id"]] = SigningKey(row["domain"], row["selector"], read_private(secret))
        return self._opened[row["id"]]
