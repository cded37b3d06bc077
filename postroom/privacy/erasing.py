"""One step of an erasure: some notifications of a person end and lose their words, or what names the person goes.

Every step is one transaction under the one lock order; broken off, it has not been. What is being handed off ends by
its answer, a doubt by what is learned of it, and the walk begins again until nothing names the person any more.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from postroom.carriers.poking import owe_look
from postroom.channels.email.addresses import clean_address
from postroom.contact_files.ending import overtake_exports
from postroom.contacts.turns import take_turn
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection
from postroom.errors import Invalid
from postroom.identity import address_hash
from postroom.privacy import recipients, wiping
from postroom.privacy.walking import FIRST, Progress, Task, is_known, next_page
from postroom.schedules.striking import strike
from postroom.sender_services.striking import strike_operator
from postroom.sequences.ending import end_enrolments
from postroom.webhooks.outgoing import ENDED, told_of

PAGE = 250  # notifications in one transaction: about 50 ms, in which nobody else can have them

LOCK = "SELECT id, state FROM notifications WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE"
LOCK_DELIVERIES = "SELECT id FROM deliveries WHERE notification_id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE"

# Writing the delivery row is what revokes a claim: the mark and this statement meet on one row lock, one of them wins.
REVOKE = """
UPDATE deliveries SET state = 'skipped', reason = 'erased', token = NULL, ended_at = now()
WHERE notification_id = ANY(%(ids)s) AND state IN ('pending', 'claimed', 'deferred')
"""

# What may have arrived does not read as skipped. Whoever is told of the end is not told whose it was.
END = f"""
WITH standing AS MATERIALIZED (
    SELECT n.id, coalesce(bool_or(d.state = 'accepted'), false) AS accepted,
           coalesce(bool_or(d.reason = 'outcome_unknown'), false) AS nobody_knows
    FROM notifications n LEFT JOIN deliveries d ON d.notification_id = n.id
    WHERE n.id = ANY(%(ids)s) AND n.state = 'open'
    GROUP BY n.id
    HAVING NOT coalesce(bool_or(d.state IN ('handing_off', 'unknown', 'held')), false)
), ended AS (
    UPDATE notifications n SET user_id = NULL, ended_at = now(),
        state = CASE WHEN s.accepted THEN 'sent' WHEN s.nobody_knows THEN 'failed' ELSE 'skipped' END,
        reason = CASE WHEN s.accepted THEN 'accepted' WHEN s.nobody_knows THEN 'outcome_unknown' ELSE 'erased' END
    FROM standing s WHERE n.id = s.id
    RETURNING {ENDED}
), {told_of("ended")}
SELECT id FROM ended
"""

# An open hand-off decides, and nothing is tried after it.
NO_MORE = """
UPDATE notifications SET cancel_requested = true WHERE id = ANY(%(ids)s) AND state = 'open' AND NOT cancel_requested
RETURNING id
"""
NOTE = """
INSERT INTO notification_events (notification_id, tenant_id, kind, reason)
SELECT id, tenant_id, 'erased', 'erased' FROM notifications WHERE id = ANY(%(ids)s)
"""
CARRIERS = "SELECT DISTINCT carrier_id FROM notifications WHERE id = ANY(%(ids)s) AND carrier_id IS NOT NULL"
OPEN = "SELECT id FROM notifications WHERE id = ANY(%(ids)s) AND state = 'open'"

HASHES = """
SELECT DISTINCT channel, address_hash FROM deliveries
WHERE notification_id = ANY(%(ids)s) AND channel IN ('email', 'in_app') AND address_hash IS NOT NULL
"""
INLINE = """
SELECT DISTINCT metadata ->> 'email' AS address FROM notification_contents
WHERE notification_id = ANY(%(ids)s) AND metadata ->> 'email' IS NOT NULL
"""
ADDRESSES = """
SELECT addresses ->> 'email' AS address FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s
"""

# One entry is left of all that is known of an address: that nothing is sent there.
FORGET_ENTRIES = """
DELETE FROM suppressions s USING unnest(%(channels)s::text[], %(hashes)b::bytea[]) AS one (channel, address_hash)
WHERE s.tenant_id = %(tenant_id)s AND s.channel = one.channel AND s.address_hash = one.address_hash AND s.scope <> 'all'
"""
SUPPRESS = """
INSERT INTO suppressions (tenant_id, channel, address_hash, scope, reason, source)
SELECT %(tenant_id)s, channel, address_hash, 'all', 'erased', 'erasure'
FROM unnest(%(channels)s::text[], %(hashes)b::bytea[]) AS one (channel, address_hash)
ORDER BY channel, address_hash
ON CONFLICT (tenant_id, channel, address_hash, scope) DO UPDATE SET reason = 'erased', source = 'erasure', note = NULL
"""

Hash = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Eraser:
    """Takes steps of erasures; the pepper makes hashes of what was an address."""

    pepper: bytes
    page: int = PAGE

    async def step(self, connection: Connection, task: Task) -> Progress:
        """Take the next step, as the role that sees all tenants: every statement names its tenant or its rows."""
        if task.walked_to is None:
            await self._shut_out(connection, task)
            return Progress(FIRST, 0)
        ids = await next_page(connection, task, self.page)
        if ids:
            return Progress(ids[-1], await self._erase(connection, task, ids))
        if got := await recipients.next_recipients(connection, task, self.page):
            return Progress(task.walked_to, await self._erase_recipients(connection, task, got))
        await take_turn(connection, task.tenant_id, alone=True)
        await self._shut_out(connection, task)  # for what was written of them since the walk began
        await wiping.remove_person(connection, task)
        if await is_known(connection, task.tenant_id, task.user_id):
            return Progress(None, 0, waiting=True)
        return Progress(None, 1, ended=True)

    async def _shut_out(self, connection: Connection, task: Task) -> None:
        """Nothing new may go out, and nothing that was told of the person is kept."""
        hashes = [self._hash(ChannelKind.IN_APP, task.user_id)]
        rows = await (await connection.execute(ADDRESSES, task.person)).fetchall()
        addresses = [row["address"] for row in rows if row["address"]]
        hashes += [self._hash(ChannelKind.EMAIL, address) for address in addresses]
        await _suppress(connection, task.tenant_id, hashes)
        await end_enrolments(connection, task.person, "erased")
        await strike(connection, task.person)
        await strike_operator(connection, task.person, addresses)
        await wiping.remove_exports(connection, task)
        await wiping.remove_names(connection, task)
        await recipients.strike_from_tasks(connection, task)
        await overtake_exports(connection, task.tenant_id)

    async def _erase(self, connection: Connection, task: Task, ids: Sequence[UUID]) -> int:
        """End and wipe some notifications; returns how many of them nothing more will happen to."""
        asked = {"ids": list(ids)}
        rows = await (await connection.execute(LOCK, asked)).fetchall()
        await connection.execute(LOCK_DELIVERIES, asked)
        was_open = {"ids": [row["id"] for row in rows if row["state"] == "open"]}
        await connection.execute(REVOKE, was_open)
        ended = [row["id"] async for row in await connection.execute(END, was_open)]
        doubtful = [row["id"] async for row in await connection.execute(NO_MORE, was_open)]
        await connection.execute(NOTE, {"ids": ended + doubtful})
        await _suppress(connection, task.tenant_id, await self._addresses(connection, ids))
        still_open = {row["id"] async for row in await connection.execute(OPEN, asked)}
        final = [one for one in ids if one not in still_open]
        await wiping.wipe(connection, task.tenant_id, ids, final)
        carriers = await (await connection.execute(CARRIERS, was_open)).fetchall()
        await owe_look(connection, sorted(row["carrier_id"] for row in carriers))
        return len(final)

    async def _erase_recipients(self, connection: Connection, task: Task, ids: Sequence[UUID]) -> int:
        """The same for messages of bulk sends."""
        await _suppress(connection, task.tenant_id, await recipients.addresses_of(connection, ids))
        return await recipients.erase_recipients(connection, task, ids)

    async def _addresses(self, connection: Connection, ids: Sequence[UUID]) -> list[Hash]:
        """Return the hashes of what notifications went to, or would have."""
        asked = {"ids": list(ids)}
        used = [(row["channel"], row["address_hash"]) async for row in await connection.execute(HASHES, asked)]
        inline = [row["address"] async for row in await connection.execute(INLINE, asked)]
        return used + [self._hash(ChannelKind.EMAIL, address) for address in inline]

    def _hash(self, channel: ChannelKind, address: str) -> Hash:
        if channel is ChannelKind.EMAIL:
            with suppress(Invalid):  # accepted once under other rules; its hash is as good as any
                address = clean_address(address)
        return str(channel), address_hash(self.pepper, channel, address)


async def _suppress(connection: Connection, tenant_id: UUID, hashes: Sequence[Hash]) -> None:
    """Keep hashes of addresses, so that they are never written to again."""
    if not hashes:
        return
    channels, bare = zip(*sorted(set(hashes)), strict=True)
    asked = {"tenant_id": tenant_id, "channels": list(channels), "hashes": list(bare)}
    await connection.execute(FORGET_ENTRIES, asked)
    await connection.execute(SUPPRESS, asked)
