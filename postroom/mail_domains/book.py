"""What the sending side knows of domains: the keys that sign for them now."""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from postroom.channels.email.signing import SigningKey
from postroom.database.engine import Database
from postroom.mail_domains.pairs import read_private
from postroom.tenants.secrets import Seal, Sealed

FRESH_SECONDS = 5.0
REMEMBERED = 10_000

# RSA first: those who know one algorithm only look at the first signature.
SIGNING = """
SELECT k.id, k.tenant_id, m.domain, k.selector, k.secret, k.secret_key_id
FROM mail_domains m JOIN mail_domain_keys k ON k.domain_id = m.id
WHERE m.tenant_id = %(tenant_id)s AND k.state = 'active'
ORDER BY k.algorithm DESC
"""


class SigningBook:
    """Looks up a tenant's signing keys and remembers them for a few seconds."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._known: dict[UUID, tuple[float, Mapping[str, Sequence[SigningKey]]]] = {}
        self._opened: dict[UUID, SigningKey] = {}

    async def keys_of(self, tenant_id: UUID, domain: str) -> Sequence[SigningKey]:
        """Return the keys that sign for a From domain of this tenant; none when it has none."""
        until, known = self._known.get(tenant_id, (0.0, {}))
        if time.monotonic() >= until:
            known = await self._look_up(tenant_id)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[tenant_id] = (time.monotonic() + FRESH_SECONDS, known)
        return known.get(domain, ())

    async def _look_up(self, tenant_id: UUID) -> Mapping[str, Sequence[SigningKey]]:
        async with self._database.tenant_transaction(tenant_id) as connection:
            rows = await (await connection.execute(SIGNING, {"tenant_id": tenant_id})).fetchall()
        found: dict[str, list[SigningKey]] = {}
        for row in rows:
            found.setdefault(row["domain"], []).append(self._open(row))
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
