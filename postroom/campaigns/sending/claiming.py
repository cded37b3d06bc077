"""Claims of a page: who of it is due, as the desk wants to read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.campaigns.sending.orders import Order
from postroom.campaigns.sending.settling import uncount
from postroom.contracts.vocabulary import Priority
from postroom.database.arrays import Uuids
from postroom.database.engine import Connection
from postroom.deliveries.claiming import Claimed, Desk
from postroom.policy.reading import COLUMNS, PERSON, TYPE
from postroom.turns import in_turns

# Locked first and read afterwards: whoever changed what is known of a person has committed it by then.
DUE = """
SELECT d.id FROM deliveries d JOIN campaign_tasks c ON c.id = d.task_id
WHERE d.task_id = %(task_id)s AND d.seq BETWEEN %(first)s AND %(last)s AND c.state = 'sending'
    AND (c.held_until IS NULL OR c.held_until <= now())
    AND d.expires_at > now() AND (
    (d.state IN ('pending', 'deferred') AND d.not_before <= now()) OR (d.state = 'claimed' AND d.lease_until < now()))
ORDER BY d.id LIMIT %(limit)s
FOR NO KEY UPDATE OF d
"""

# The columns of a notification's claim; what a notification has of its own, a recipient has from the task. Rows
# are found by their ids alone: where nobody has counted the table yet, the planner would rather walk the whole task.
CLAIMABLE = f"""
SELECT d.id AS delivery_id, d.notification_id, d.created_at AS resolved_at, d.channel, d.tenant_id, d.seq, r.part,
       NULL AS title, NULL AS body_text, NULL AS body_html, '{{}}'::jsonb AS metadata, k.addresses, m.message,
       t.mail_from, NULL AS language, k.language AS known_language, k.attributes,
       {COLUMNS},
       CASE WHEN d.marked_at IS NOT NULL THEN d.address END AS frozen_address, false AS enclosures
FROM deliveries d
JOIN task_recipients r ON r.task_id = %(task_id)s AND r.seq = d.seq
JOIN campaign_tasks c ON c.id = %(task_id)s
CROSS JOIN LATERAL (SELECT d.tenant_id, r.user_id, c.class, {Priority.LOW:d} AS priority, c.notification_type,
                           false AS send_now, d.expires_at) n
JOIN tenants t ON t.id = d.tenant_id
{PERSON}
{TYPE}
LEFT JOIN delivery_messages m ON m.delivery_id = d.id
WHERE d.id = ANY(%(ids)b)
ORDER BY d.id
"""


@dataclass(frozen=True, slots=True)
class PageDesk:
    """Claims recipients at the desk that claims notifications."""

    desk: Desk

    async def claim(self, connection: Connection, order: Order, limit: int) -> list[Claimed]:
        """Claim at most so many of those that are due in a page; skips are written with their reason."""
        due = await connection.execute(DUE, order.rows | {"limit": limit})
        ids = Uuids([row["id"] async for row in due])
        if not ids:
            return []
        found = await connection.execute(CLAIMABLE, {"ids": ids, "task_id": order.id})
        rows = [self._row(order, row) async for row in in_turns(await found.fetchall())]
        claimed = await self.desk.admit(connection, order.tenant_id, order.way, rows)
        await uncount(connection, order)  # from now on the ledger moves rows of this page
        return claimed

    def _row(self, order: Order, row: dict[str, Any]) -> Mapping[str, Any]:
        content = order.pinned[row["part"]]
        return row | {
            "template_id": UUID(content["template_id"]),
            "template_version": content["version"],
            "variables": order.variables,
            "mail_from": order.sender.get("from") or row["mail_from"],
            "bulk": order.bulk(row["seq"]),
        }
