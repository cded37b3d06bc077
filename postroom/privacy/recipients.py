"""What an erasure does to the messages a person got, or would have got, by bulk sends: a page of them in one step.

The numbers of a send stay what they were but for what had not gone: that ends as skipped, and its pages count anew.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.campaigns.models import Task as Sent
from postroom.campaigns.pages import owe_tasks, touch_pages
from postroom.campaigns.planning.pinning import hash_with
from postroom.campaigns.task_rows import COLUMNS
from postroom.database.engine import Connection
from postroom.privacy import wiping
from postroom.privacy.walking import Task

# One that is being handed off, or whose outcome nobody knows yet, ends first; it is found by a later walk.
NEXT = """
SELECT r.delivery_id FROM task_recipients r LEFT JOIN deliveries d ON d.id = r.delivery_id
WHERE r.tenant_id = %(tenant_id)s AND r.user_id = %(user_id)s
    AND coalesce(d.state, '') NOT IN ('handing_off', 'unknown', 'held')
ORDER BY r.delivery_id LIMIT %(limit)s
"""
LOCK = "SELECT id FROM deliveries WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE"
# Writing the row is what revokes a claim: the mark and this statement meet on one row lock, one of them wins.
REVOKE = """
UPDATE deliveries SET state = 'skipped', reason = 'erased', token = NULL, ended_at = now()
WHERE id = ANY(%(ids)s) AND state IN ('pending', 'claimed', 'deferred')
RETURNING task_id, seq
"""
SETTLED = """
SELECT r.delivery_id AS id FROM task_recipients r LEFT JOIN deliveries d ON d.id = r.delivery_id
WHERE r.tenant_id = %(tenant_id)s AND r.delivery_id = ANY(%(ids)s)
    AND coalesce(d.state, '') NOT IN ('handing_off', 'unknown', 'held')
"""
HASHES = """
SELECT DISTINCT channel, address_hash FROM deliveries
WHERE id = ANY(%(ids)s) AND channel IN ('email', 'in_app') AND address_hash IS NOT NULL
"""
# No row names the person, and every seq has one still.
UNNAME = """
UPDATE task_recipients SET user_id = NULL, domain = NULL
WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s AND delivery_id = ANY(%(ids)s)
"""
# Lines of a report tell of a page's domains one by one. Who writes them holds the page, and is waited for here.
LOCK_PAGES = """
WITH theirs AS MATERIALIZED (
    SELECT DISTINCT p.task_id, p.number
    FROM task_recipients r JOIN task_pages p ON p.task_id = r.task_id AND r.seq BETWEEN p.first_seq AND p.last_seq
    WHERE r.tenant_id = %(tenant_id)s AND r.user_id = %(user_id)s AND r.delivery_id = ANY(%(ids)s)
)
SELECT p.task_id, p.number FROM theirs t JOIN task_pages p ON p.task_id = t.task_id AND p.number = t.number
ORDER BY p.task_id, p.number FOR NO KEY UPDATE OF p
"""
FORGET_LINES = """
DELETE FROM task_page_lines l USING unnest(%(tasks)s::uuid[], %(numbers)s::int[]) AS p (task_id, number)
WHERE l.task_id = p.task_id AND l.number = p.number
"""
RULES = f"""
SELECT {COLUMNS} FROM campaign_tasks
WHERE tenant_id = %(tenant_id)s AND position(to_json(%(user_id)s::text)::text IN rule::text) > 0
ORDER BY id FOR NO KEY UPDATE
"""
# An approval holds for the rule without the person too; whoever has read the draft before cannot write it back.
REWRITE = """
UPDATE campaign_tasks SET rule = %(rule)s, version = version + 1, content_hash = coalesce(%(hash)s, content_hash),
    approved_hash = CASE WHEN approved_hash = content_hash THEN coalesce(%(hash)s, approved_hash)
        ELSE approved_hash END
WHERE id = %(id)s
"""
# How far an audience was frozen is a name; while it goes on, it is another one soon.
FORGET_PLACE = """
UPDATE campaign_tasks SET frozen_to = NULL
WHERE tenant_id = %(tenant_id)s AND frozen_to = %(user_id)s
    AND (frozen_at IS NOT NULL OR state IN ('failed', 'cancelled'))
"""
NOBODY: dict[str, Any] = {"not": {"everyone": True}}


async def next_recipients(connection: Connection, task: Task, limit: int) -> Sequence[UUID]:
    """Return the deliveries by bulk sends to the person that can end now."""
    found = await connection.execute(NEXT, {**task.person, "limit": limit})
    return [row["delivery_id"] async for row in found]


async def erase_recipients(connection: Connection, task: Task, ids: Sequence[UUID]) -> int:
    """End and wipe some of them; returns how many are nobody's now."""
    await connection.execute(LOCK, {"ids": list(ids)})
    revoked: dict[UUID, list[int]] = defaultdict(list)
    async for row in await connection.execute(REVOKE, {"ids": list(ids)}):
        revoked[row["task_id"]].append(row["seq"])
    settled = await connection.execute(SETTLED, {"tenant_id": task.tenant_id, "ids": list(ids)})
    final = [row["id"] async for row in settled]
    await wiping.wipe_deliveries(connection, final)
    pages = await (await connection.execute(LOCK_PAGES, {**task.person, "ids": final})).fetchall()
    places = {"tasks": [one["task_id"] for one in pages], "numbers": [one["number"] for one in pages]}
    await connection.execute(FORGET_LINES, places)
    await connection.execute(UNNAME, {**task.person, "ids": final})
    for task_id in sorted(revoked):
        await touch_pages(connection, task_id, revoked[task_id])
    await owe_tasks(connection, revoked)
    return len(final)


async def addresses_of(connection: Connection, ids: Sequence[UUID]) -> list[tuple[str, bytes]]:
    """Return the hashes of where these deliveries went."""
    found = await connection.execute(HASHES, {"ids": list(ids)})
    return [(row["channel"], row["address_hash"]) async for row in found]


async def strike_from_tasks(connection: Connection, task: Task) -> None:
    """Take the person out of the tasks that name them; a list that nobody is left in finds nobody."""
    await connection.execute(FORGET_PLACE, task.person)
    found = await (await connection.execute(RULES, task.person)).fetchall()
    for one in map(Sent.of, found):
        rule = struck(one.rule, task.user_id)
        if rule != one.rule:
            rehashed = await hash_with(connection, one, rule)
            await connection.execute(REWRITE, {"id": one.id, "rule": Jsonb(rule), "hash": rehashed})


def struck(rule: Any, user_id: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a rule without a person in its lists."""
    if isinstance(rule, list):
        return [struck(one, user_id) for one in rule]
    if not isinstance(rule, dict):
        return rule
    if isinstance(people := rule.get("user_ids"), list) and user_id in people:
        left = [one for one in people if one != user_id]
        return {"user_ids": left} if left else dict(NOBODY)
    return {name: struck(member, user_id) for name, member in rule.items()}
