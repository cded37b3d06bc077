"""One step of an export: the person themselves, or some of their notifications, as the next piece of one JSON text.

The pieces put together are one object; each is made from one page of rows, so that none grows with the person.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection
from postroom.identity import CARRIER, DELIVERY, INBOX, JOB, NOTIFICATION, TASK, address_hash, public_id
from postroom.privacy.holdings import HOLDINGS, Holding, Tie, tied_by
from postroom.privacy.walking import Progress, Task, Walk, next_page, next_recipients
from postroom.tenants.secrets import Seal

PAGE = 50  # notifications in one piece: with everything that is kept of them, some megabytes at the very most
FORMAT = "postroom.person/1"

OF_PERSON = """
SELECT {shown} AS row FROM {table} t WHERE t.tenant_id = %(tenant_id)s AND t.user_id = %(user_id)s ORDER BY {order}
"""
OF_NOTIFICATIONS = """
SELECT t.notification_id AS owner, {shown} AS row FROM {table} t
WHERE t.notification_id = ANY(%(ids)s) ORDER BY t.notification_id, {order}
"""
OF_DELIVERIES = """
SELECT d.notification_id AS owner, {shown} AS row FROM {table} t JOIN deliveries d ON d.id = t.delivery_id
WHERE d.notification_id = ANY(%(ids)s) ORDER BY d.notification_id, {order}
"""
OWN_DELIVERIES = "SELECT t.id AS owner, {shown} AS row FROM {table} t WHERE t.id = ANY(%(ids)s) ORDER BY t.id, {order}"
OF_RECIPIENTS = """
SELECT t.delivery_id AS owner, {shown} AS row FROM {table} t
WHERE t.delivery_id = ANY(%(ids)s) ORDER BY t.delivery_id, {order}
"""
NOTIFICATIONS = """
SELECT id AS owner, to_jsonb(t) - '{tenant_id,api_key_id,fallback_after}'::text[] AS row FROM notifications t
WHERE id = ANY(%(ids)s) ORDER BY id
"""
SUPPRESSED = """
SELECT jsonb_build_object('channel', channel, 'scope', scope, 'reason', reason, 'source', source, 'note', note,
                          'created_at', created_at) AS row
FROM suppressions WHERE tenant_id = %(tenant_id)s AND (channel, address_hash) IN (
    SELECT * FROM unnest(%(channels)s::text[], %(hashes)b::bytea[]))
ORDER BY created_at
"""
USED = """
SELECT d.channel, d.address_hash FROM notifications n JOIN deliveries d ON d.notification_id = n.id
WHERE n.tenant_id = %(tenant_id)s AND n.user_id = %(user_id)s AND d.channel = 'email' AND d.address_hash IS NOT NULL
UNION
SELECT d.channel, d.address_hash FROM task_recipients r JOIN deliveries d ON d.id = r.delivery_id
WHERE r.tenant_id = %(tenant_id)s AND r.user_id = %(user_id)s AND d.channel = 'email' AND d.address_hash IS NOT NULL
"""
PUT = """
INSERT INTO job_results (job_id, position, tenant_id, key_id, content)
VALUES (%(job_id)s, %(position)s, %(tenant_id)s, %(key_id)s, %(content)b)
"""

IDS = {
    "notification_id": NOTIFICATION,
    "delivery_id": DELIVERY,
    "job_id": JOB,
    "carrier_id": CARRIER,
    "task_id": TASK,
}
OWN_IDS = {"notifications": NOTIFICATION, "deliveries": DELIVERY, "inbox_messages": INBOX}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exporter:
    """Takes steps of exports; what it writes is sealed."""

    pepper: bytes
    seal: Seal
    page: int = PAGE

    async def step(self, connection: Connection, task: Task) -> Progress:
        """Write the next piece, as the role that sees all tenants: every statement names its tenant or its rows."""
        if task.chunks == 0:
            head = await self._head(connection, task)
            await self._put(connection, task, f'{head.removesuffix("}")}, "notifications": [')
            return Progress(None, 1, chunks=1)
        find, tell, after = WALKS[task.walk]
        ids = await find(connection, task, self.page)
        if ids:
            told = ",\n".join(map(_spelled, await tell(connection, ids)))
            await self._put(connection, task, f",\n{told}" if task.walked_to else f"\n{told}")
            return Progress(ids[-1], len(ids), chunks=1, walk=task.walk)
        if after is None:
            await self._put(connection, task, "]}\n")
            return Progress(task.walked_to, 0, chunks=1, ended=True)
        await self._put(connection, task, '], "campaign_messages": [')
        return Progress(None, 0, chunks=1, walk=after)

    async def _head(self, connection: Connection, task: Task) -> str:
        head: Row = {"format": FORMAT, "user_id": task.user_id, "exported_at": task.now.isoformat()}
        for holding in tied_by(Tie.PERSON):
            rows = await connection.execute(_asked(OF_PERSON, holding), task.person)
            head[holding.table] = [_public(holding.table, row["row"]) async for row in rows]
        head["suppressions"] = await self._suppressed(connection, task, head["contacts"])
        return _spelled(head)

    async def _suppressed(self, connection: Connection, task: Task, contacts: Sequence[Row]) -> list[Row]:
        """Return why nothing is sent to the addresses that are theirs, without the hashes."""
        used = [(row["channel"], row["address_hash"]) async for row in await connection.execute(USED, task.person)]
        used += [("in_app", address_hash(self.pepper, "in_app", task.user_id))]
        known = [contact["addresses"].get("email") for contact in contacts]
        used += [("email", address_hash(self.pepper, "email", address)) for address in known if address]
        channels, hashes = zip(*used, strict=True)
        asked = {"tenant_id": task.tenant_id, "channels": list(channels), "hashes": list(hashes)}
        return [row["row"] async for row in await connection.execute(SUPPRESSED, asked)]

    async def _put(self, connection: Connection, task: Task, text: str) -> None:
        sealed = self.seal.seal(text, tenant_id=task.tenant_id, row_id=task.job_id)
        place = {"job_id": task.job_id, "position": task.chunks, "tenant_id": task.tenant_id}
        await connection.execute(PUT, place | {"key_id": sealed.key_id, "content": sealed.content})


async def _notifications(connection: Connection, ids: Sequence[UUID]) -> list[Row]:
    """Return notifications, each with everything that is kept of it."""
    asked = {"ids": list(ids)}
    parts: dict[UUID, Row] = defaultdict(dict)
    async for row in await connection.execute(NOTIFICATIONS, asked):
        parts[row["owner"]] = _public("notifications", row["row"])
    for holding in (*tied_by(Tie.NOTIFICATION), *tied_by(Tie.DELIVERY)):
        statement = OF_NOTIFICATIONS if holding.tie is Tie.NOTIFICATION else OF_DELIVERIES
        async for row in await connection.execute(_asked(statement, holding), asked):
            parts[row["owner"]].setdefault(holding.table, []).append(_public(holding.table, row["row"]))
    return [parts[one] for one in ids if one in parts]


async def _recipients(connection: Connection, ids: Sequence[UUID]) -> list[Row]:
    """Return deliveries by bulk sends, each with everything that is kept of it."""
    asked = {"ids": list(ids)}
    parts: dict[UUID, Row] = {one: {"delivery_id": public_id(DELIVERY, one)} for one in ids}
    delivery = next(holding for holding in HOLDINGS if holding.table == "deliveries")
    async for row in await connection.execute(_asked(OWN_DELIVERIES, delivery), asked):
        parts[row["owner"]].update(_public("deliveries", row["row"]))
    for holding in tied_by(Tie.DELIVERY):
        async for row in await connection.execute(_asked(OF_RECIPIENTS, holding), asked):
            parts[row["owner"]].setdefault(holding.table, []).append(_public(holding.table, row["row"]))
    return list(parts.values())


# How to find the next of each, how to tell of them, and what follows.
WALKS = {
    Walk.NOTIFICATIONS: (next_page, _notifications, Walk.RECIPIENTS),
    Walk.RECIPIENTS: (next_recipients, _recipients, None),
}


def _asked(statement: str, holding: Holding) -> str:
    """Fill a statement with what a table shows of its rows."""
    hidden = f"to_jsonb(t) - '{{{','.join(holding.hidden)}}}'::text[]"
    order = ", ".join(f"t.{column.strip()}" for column in holding.order.split(","))
    return statement.format(shown=holding.shown or hidden, table=holding.table, order=order)


def _public(table: str, row: Mapping[str, Any]) -> Row:
    """Spell ids as the API does."""
    prefixes = IDS | ({"id": OWN_IDS[table]} if table in OWN_IDS else {})
    ids = {name: public_id(prefix, UUID(row[name])) for name, prefix in prefixes.items() if row.get(name)}
    return {**row, **ids}


def _spelled(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
