"""Addresses a tenant sends nothing to. Only keyed hashes are stored: the list cannot be read back into addresses."""

from collections.abc import Sequence
from uuid import UUID

from postroom.channels.email.addresses import clean_address
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.identity import address_hash
from postroom.tenants.repository import Row

ADD = """
INSERT INTO suppressions (tenant_id, channel, address_hash, reason) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
REMOVE = "DELETE FROM suppressions WHERE tenant_id = %s AND channel = %s AND address_hash = %s"
LIST = """
SELECT channel, encode(address_hash, 'hex') AS address_hash, reason, created_at
FROM suppressions WHERE tenant_id = %s ORDER BY created_at DESC, address_hash
"""


class Suppressions:
    """One tenant's list; the write-ahead mark reads it right before every hand-off."""

    def __init__(self, database: Database, pepper: bytes, tenant_id: UUID) -> None:
        self._database = database
        self._pepper = pepper
        self._tenant_id = tenant_id

    async def add(self, channel: ChannelKind, address: str, reason: str) -> bool:
        """Suppress an address; False when it was already."""
        async with self._database.system_transaction() as connection:
            cursor = await connection.execute(ADD, (self._tenant_id, channel, self._hash(channel, address), reason))
            return cursor.rowcount == 1

    async def remove(self, channel: ChannelKind, address: str) -> bool:
        """Allow an address again; False when it was not suppressed."""
        async with self._database.system_transaction() as connection:
            cursor = await connection.execute(REMOVE, (self._tenant_id, channel, self._hash(channel, address)))
            return cursor.rowcount == 1

    async def all(self) -> Sequence[Row]:
        """Return what is suppressed, newest first."""
        async with self._database.system_transaction() as connection:
            return await (await connection.execute(LIST, (self._tenant_id,))).fetchall()

    def _hash(self, channel: ChannelKind, address: str) -> bytes:
        """Hash the spelling that will stand on the wire, which is the one the mark compares."""
        wire = clean_address(address.strip()) if channel is ChannelKind.EMAIL else address
        return address_hash(self._pepper, channel, wire)
