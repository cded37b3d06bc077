"""The statements that take a person out of the tables of `holdings`, made from that list."""

from collections.abc import Sequence
from uuid import UUID

from postroom.database.engine import Connection
from postroom.privacy.holdings import HOLDINGS, NAMING, Holding, Tie, tied_by
from postroom.privacy.walking import Task
from postroom.subscriptions.repository import alone

# No row names the person, and the counts of whatever they belong to are what they were.
UNNAME = "UPDATE notifications SET user_id = NULL WHERE id = ANY(%(final)s) AND user_id IS NOT NULL"

BLOBS = "SELECT DISTINCT sha256 FROM notification_attachments WHERE notification_id = ANY(%(ids)s)"
# Whoever refers to the same bytes right now is waited for, and then they stay: the foreign key says so.
REMOVE_BLOBS = """
DELETE FROM blobs b WHERE b.tenant_id = %(tenant_id)s AND b.sha256 = ANY(%(blobs)b) AND NOT EXISTS (
    SELECT FROM notification_attachments a WHERE a.tenant_id = b.tenant_id AND a.sha256 = b.sha256)
"""

# Keys are the caller's words, and may hold the person's name; there is no index to find them by, so it is done once.
REMOVE_NAMES = """
DELETE FROM idempotency_keys k USING notifications n
WHERE k.tenant_id = %(tenant_id)s AND n.id = k.notification_id AND n.tenant_id = %(tenant_id)s
    AND n.user_id = %(user_id)s
"""
# One that enrolled several people is nobody's name, and goes by itself after a day.
REMOVE_NAMES_OF_ENROLMENTS = """
DELETE FROM idempotency_keys k USING enrolments e
WHERE k.tenant_id = %(tenant_id)s AND k.notification_id = e.request_id AND e.tenant_id = %(tenant_id)s
    AND e.user_id = %(user_id)s
    AND NOT EXISTS (SELECT FROM enrolments o WHERE o.request_id = e.request_id AND o.user_id <> e.user_id)
"""
OVERTAKE = """
UPDATE person_jobs SET state = CASE WHEN state = 'open' THEN 'overtaken' ELSE state END, user_id = NULL,
    ended_at = coalesce(ended_at, now()), expires_at = NULL
WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s AND kind = 'export'
RETURNING job_id
"""
REMOVE_RESULTS = "DELETE FROM job_results WHERE job_id = ANY(%(ids)s)"
REMOVE_INBOX = "DELETE FROM inbox_messages WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s"


def _statement(holding: Holding, ids: str) -> str:
    """Return what wipes the rows of one table that belong to the notifications named by a parameter."""
    belonging = f"notification_id = ANY(%({ids})s)"
    if holding.tie is Tie.DELIVERY:
        belonging = f"delivery_id IN (SELECT d.id FROM deliveries d WHERE d.{belonging})"
    return _wiped(holding, belonging)


def _wiped(holding: Holding, belonging: str) -> str:
    if not holding.wiped:
        return f"DELETE FROM {holding.table} WHERE {belonging}"
    columns = ", ".join(f"{column} = {left}" for column, left in holding.wiped.items())
    return f"UPDATE {holding.table} SET {columns} WHERE {belonging}"


OF_NOTIFICATIONS = [
    _statement(holding, "final" if holding.table in NAMING else "ids")
    for holding in HOLDINGS
    if holding.tie is not Tie.PERSON and holding.table != "idempotency_keys" and not holding.kept
]
# Of a recipient of a bulk send the delivery itself is found by its id.
OF_DELIVERIES = [
    _wiped(holding, f"{'id' if holding.table == 'deliveries' else holding.tie} = ANY(%(ids)s)")
    for holding in HOLDINGS
    if (holding.tie is Tie.DELIVERY or holding.table == "deliveries") and not holding.kept
]
OF_PERSON = [
    f"DELETE FROM {holding.table} WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s"
    for holding in tied_by(Tie.PERSON)
    if not holding.wiped
]


async def wipe(connection: Connection, tenant_id: UUID, ids: Sequence[UUID], final: Sequence[UUID]) -> None:
    """Take the words and addresses out of locked notifications; those that are `final` name nobody afterwards."""
    asked = {"tenant_id": tenant_id, "ids": list(ids), "final": list(final)}
    blobs = [row["sha256"] async for row in await connection.execute(BLOBS, asked)]
    for statement in OF_NOTIFICATIONS:
        await connection.execute(statement, asked)
    if blobs:
        await connection.execute(REMOVE_BLOBS, {"tenant_id": tenant_id, "blobs": blobs})
    await connection.execute(UNNAME, asked)


async def wipe_deliveries(connection: Connection, ids: Sequence[UUID]) -> None:
    """Take the words and addresses out of locked deliveries of bulk sends."""
    for statement in OF_DELIVERIES:
        await connection.execute(statement, {"ids": list(ids)})


async def remove_person(connection: Connection, task: Task) -> None:
    """Take away what is known of the person themselves; who writes their preferences meanwhile is waited for."""
    await alone(connection, task.tenant_id, task.user_id)
    for statement in (*OF_PERSON, REMOVE_INBOX):
        await connection.execute(statement, task.person)


async def remove_names(connection: Connection, task: Task) -> None:
    """Take away what callers named requests about the person."""
    for statement in (REMOVE_NAMES, REMOVE_NAMES_OF_ENROLMENTS):
        await connection.execute(statement, task.person)


async def remove_exports(connection: Connection, task: Task) -> None:
    """Take away what was exported of the person, and end what is being exported."""
    jobs = [row["job_id"] async for row in await connection.execute(OVERTAKE, task.person)]
    await connection.execute(REMOVE_RESULTS, {"ids": jobs})
