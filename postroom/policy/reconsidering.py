"""What a person changed counts at once: what was decided before is taken back, and decided again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from postroom.campaigns.pages import owe_tasks, touch_pages
from postroom.carriers.poking import owe_look
from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES
from postroom.database.engine import Connection, Database
from postroom.database.wording import listed
from postroom.deliveries.locking import lock_named
from postroom.policy.reasons import Wait

# Found among all that a person ever got: 30 ms for one of 50,000. An index of the open ones would make it 0.2 ms, and
# every insert some 5 microseconds dearer; people change their minds more seldom than they are written to.
THEIRS = "SELECT id FROM notifications WHERE user_id = ANY(%(user_ids)s) AND state = 'open'"

# Of tasks those that are not over; all that the person is a recipient of, by the index of people.
AS_RECIPIENT = f"""
SELECT d.id FROM task_recipients r JOIN deliveries d ON d.task_id = r.task_id AND d.seq = r.seq
WHERE r.user_id = ANY(%(user_ids)s) AND d.state NOT IN {listed(FINAL_DELIVERY_STATES)}
"""

# A claim is taken back: whoever holds it meets a mark that refuses. A time that policy set counts no longer.
TAKE_BACK = f"""
UPDATE deliveries SET state = 'pending', token = NULL, not_before = now(),
    reason = CASE WHEN state = 'claimed' THEN reason END
WHERE {{whose}} AND (state = 'claimed' OR (state = 'pending' AND reason IN {listed(Wait)}))
RETURNING notification_id, task_id, seq
"""
OF_NOTIFICATIONS = TAKE_BACK.format(whose="notification_id = ANY(%(ids)s)")
OF_TASKS = TAKE_BACK.format(whose="id = ANY(%(ids)s)")

# Given back to the relay, a notification waits by its own time; what was asked for a later one still is.
BRING_FORWARD = """
UPDATE notifications SET due_at = greatest(scheduled_at, now()) WHERE id = ANY(%(ids)s) AND due_at > now()
"""

CARRIERS = "SELECT DISTINCT carrier_id FROM notifications WHERE id = ANY(%(ids)s) AND carrier_id IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Open:
    """What is on its way to a person: notifications, and deliveries of tasks."""

    notifications: Sequence[UUID]
    recipients: Sequence[UUID]

    def beyond(self, known: "Open") -> "Open":
        """What is here and was not known before."""
        return Open(
            sorted(set(self.notifications).difference(known.notifications)),
            sorted(set(self.recipients).difference(known.recipients)),
        )


@asynccontextmanager
async def reconsidered(database: Database, tenant_id: UUID, *user_ids: str) -> AsyncIterator[Connection]:
    """Write inside what is known of a person, or of some, in one transaction.

    Their open notifications are locked first, so that no claim is made from what was known before: one made earlier is
    taken back, one made later sees what is written here. What was accepted meanwhile is not under these locks, and may
    be claimed before this commits, so it is looked for afterwards.
    """
    async with database.tenant_transaction(tenant_id) as connection:
        known = await _open(connection, user_ids)
        locked = await lock_named(connection, known.notifications, known.recipients)
        yield connection
        await _decide_again(connection, Open(locked, known.recipients))
    async with database.tenant_transaction(tenant_id) as connection:
        late = (await _open(connection, user_ids)).beyond(known)
        if late.notifications or late.recipients:
            locked = await lock_named(connection, late.notifications, late.recipients)
            await _decide_again(connection, Open(locked, late.recipients))


async def _open(connection: Connection, user_ids: Sequence[str]) -> Open:
    if not user_ids:
        return Open((), ())
    notifications, recipients = [
        [row["id"] async for row in await connection.execute(statement, {"user_ids": list(user_ids)})]
        for statement in (THEIRS, AS_RECIPIENT)
    ]
    return Open(notifications, recipients)


async def _decide_again(connection: Connection, locked: Open) -> None:
    found = await connection.execute(OF_NOTIFICATIONS, {"ids": list(locked.notifications)})
    if taken_back := [row["notification_id"] async for row in found]:
        await connection.execute(BRING_FORWARD, {"ids": taken_back})
        carriers = await (await connection.execute(CARRIERS, {"ids": taken_back})).fetchall()
        await owe_look(connection, sorted(row["carrier_id"] for row in carriers))
    if locked.recipients:
        await _pass_again(connection, locked.recipients)


async def _pass_again(connection: Connection, recipients: Sequence[UUID]) -> None:
    """Have the pages of these recipients passed over anew, as far as something was taken back."""
    found = await connection.execute(OF_TASKS, {"ids": list(recipients)})
    by_task: dict[UUID, list[int]] = {}
    async for row in found:
        by_task.setdefault(row["task_id"], []).append(row["seq"])
    for task_id, seqs in sorted(by_task.items()):
        await touch_pages(connection, task_id, seqs)
    await owe_tasks(connection, by_task)
