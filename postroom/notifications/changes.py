"""Cancelling and opening again, one notification or many: the statements, under the caller's locks."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from postroom.carriers.poking import owe_look
from postroom.contracts.vocabulary import NotificationState
from postroom.database.engine import Connection
from postroom.deliveries.settling import settle

# Writing the delivery row is what revokes a claim: the mark and this statement meet on one row lock, one of them wins.
REVOKE = """
UPDATE deliveries SET state = 'cancelled', reason = 'cancelled', token = NULL, ended_at = now()
WHERE notification_id = ANY(%(ids)s) AND state IN ('pending', 'claimed', 'deferred')
"""

REQUEST_CANCEL = "UPDATE notifications SET cancel_requested = true WHERE id = ANY(%(ids)s)"

# At the moment of this transaction: before the end it may bring about.
NOTE_CANCEL = """
INSERT INTO notification_events (notification_id, tenant_id, at, kind)
SELECT id, tenant_id, now(), CASE WHEN state = 'cancelled' THEN 'cancelled' ELSE 'cancel_requested' END
FROM notifications WHERE id = ANY(%(ids)s)
"""

ENDS = "SELECT id, state, carrier_id FROM notifications WHERE id = ANY(%(ids)s)"

# What was refused before anything was tried keeps its time; anything else that failed is due at once.
REOPEN = """
UPDATE notifications n SET state = 'open', reason = NULL, carrier_id = NULL, cancel_requested = false, ended_at = NULL,
    send_now = false, due_at = s.due, expires_at = s.due + %(life)s
FROM (
    SELECT id, CASE WHEN EXISTS (SELECT FROM deliveries d WHERE d.notification_id = f.id) THEN now()
                    ELSE greatest(f.scheduled_at, now()) END AS due
    FROM notifications f WHERE id = ANY(%(ids)s)
) s
WHERE n.id = s.id
"""

# A retry starts a new plan but never a new count: attempts keep their numbers. An outcome nobody knew counts as a
# re-send somebody asked for.
REPEAT = """
UPDATE deliveries d SET state = 'pending', reason = NULL, token = NULL, not_before = now(), plan_start = d.attempt,
    resends = d.resends + n.ambiguous::int, expires_at = now() + %(life)s, hold_until = NULL, ended_at = NULL
FROM notifications n
WHERE n.id = d.notification_id AND n.id = ANY(%(ids)s)
    AND (d.state IN ('rejected', 'failed') OR (n.strategy = 'first' AND d.state IN ('expired', 'skipped')))
    AND (n.strategy = 'all' OR d.position = (SELECT max(position) FROM deliveries WHERE notification_id = n.id))
"""

NOTE_RETRY = """
INSERT INTO notification_events (notification_id, tenant_id, at, kind)
SELECT id, tenant_id, now(), 'retried' FROM notifications WHERE id = ANY(%(ids)s)
"""


async def withdraw(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, NotificationState]:
    """Cancel open notifications that are locked with their deliveries; returns where each stands now.

    Cancelled when nothing of it was being handed off; still open when a hand-off decides first. No hand-off starts
    after either.
    """
    parameters = {"ids": list(ids)}
    await connection.execute(REVOKE, parameters)
    await connection.execute(REQUEST_CANCEL, parameters)
    await settle(connection, ids)
    await connection.execute(NOTE_CANCEL, parameters)
    ends = await (await connection.execute(ENDS, parameters)).fetchall()
    await owe_look(connection, sorted({row["carrier_id"] for row in ends if row["carrier_id"]}))
    return {row["id"]: NotificationState(row["state"]) for row in ends}


async def reopen(connection: Connection, ids: Sequence[UUID], life: timedelta) -> None:
    """Open failed notifications again with a new plan and a new time-to-live; locked like the above.

    None of them may have an accepted delivery.
    """
    parameters = {"ids": list(ids), "life": life}
    await connection.execute(REOPEN, parameters)
    await connection.execute(REPEAT, parameters)
    await connection.execute(NOTE_RETRY, parameters)
