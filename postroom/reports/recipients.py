"""Recipients of a task as their rows stand, in the order of the audience, some at once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.database.wording import listed
from postroom.errors import Invalid
from postroom.reports.tasks import Task, task_of
from postroom.tracking.meaning import CLICK, MEANT, OPEN

# A page whose lines say that nobody of the kind is in it is not looked through. Where somebody has none, null is among
# the keys, and that others are not there is unknown and not false.
NOT_HERE = """
NOT EXISTS (SELECT FROM task_page_lines l WHERE p.counted AND l.task_id = p.task_id AND l.number = p.number
    AND l.dimension = '{dimension}' AND l.version = p.xmin::text::bigint AND (%({name})s = ANY(l.keys)) IS NOT TRUE)
"""
PAGES: Mapping[str, str] = {
    "state": "NOT (p.counted AND coalesce((p.counts ->> %(state)s)::integer, 0) = 0)",
    "reason": NOT_HERE.format(dimension="outcome", name="reason"),
    "domain": NOT_HERE.format(dimension="domain", name="domain"),
    "language": NOT_HERE.format(dimension="language", name="language"),
    "sender": NOT_HERE.format(dimension="sender", name="sender"),
}
TOUCHED = (
    "EXISTS (SELECT FROM delivery_touches t WHERE t.delivery_id = d.id AND t.kind IN {kinds} AND t.machine IS NULL)"
)
TOLD = "EXISTS (SELECT FROM delivery_feedback f WHERE f.delivery_id = d.id AND f.kind = '{kind}')"
ROWS: Mapping[str, str] = {
    "state": "d.state = %(state)s",
    "reason": "d.reason = %(reason)s",
    "domain": "r.domain = %(domain)s",
    "language": "d.language = %(language)s",
    "sender": "d.provider = %(sender)s",
    "template_variant": "d.template_variant = %(template_variant)s",
    "opened": f"%(opened)s = {TOUCHED.format(kinds=listed(MEANT[OPEN]))}",
    "clicked": f"%(clicked)s = {TOUCHED.format(kinds=listed(MEANT[CLICK]))}",
    "bounced": f"%(bounced)s = {TOLD.format(kind='bounced')}",
    "complained": f"%(complained)s = {TOLD.format(kind='complained')}",
    "unsubscribed": f"%(unsubscribed)s = {TOLD.format(kind='unsubscribed')}",
    "parts": "r.part = ANY(%(parts)s)",
}
WHERE = """
SELECT first_seq, last_seq FROM task_pages p
WHERE p.task_id = %(task_id)s AND p.last_seq > %(after)s {pages} ORDER BY p.number
"""
# Few people click, bounce or complain: these are looked up one by one, not looked for among all.
CLICKED = "SELECT delivery_id FROM delivery_touches WHERE task_id = %(task_id)s AND kind = 'click' AND machine IS NULL"
FED_BACK = "SELECT delivery_id FROM delivery_feedback WHERE task_id = %(task_id)s AND kind = '{kind}'"
FEW: Mapping[str, str] = {
    "complained": FED_BACK.format(kind="complained"),
    "unsubscribed": FED_BACK.format(kind="unsubscribed"),
    "bounced": FED_BACK.format(kind="bounced"),
    "clicked": CLICKED,
}
PLACES = """
SELECT DISTINCT d.seq AS first_seq, d.seq AS last_seq FROM ({few}) f JOIN deliveries d ON d.id = f.delivery_id
WHERE d.seq > %(after)s ORDER BY d.seq
"""
# The limit has each recipient looked up by place: the planner would rather look for a domain in the whole audience, and
# do so for every page.
SOME = f"""
WITH chosen AS MATERIALIZED (
    SELECT one.* FROM unnest(%(firsts)s::integer[], %(lasts)s::integer[]) AS p (first_seq, last_seq)
    CROSS JOIN LATERAL (
        SELECT d.id, d.seq, r.user_id, r.part, r.domain, d.template_variant, d.language, d.state, d.reason,
            d.provider AS sender, d.attempt, d.not_before, d.ended_at
        FROM deliveries d CROSS JOIN LATERAL (
            SELECT user_id, part, domain FROM task_recipients WHERE task_id = d.task_id AND seq = d.seq LIMIT 1) r
        WHERE d.task_id = %(task_id)s AND d.seq BETWEEN greatest(p.first_seq, %(after)s + 1) AND p.last_seq {{rows}}
        ORDER BY d.seq LIMIT %(limit)s
    ) one
    ORDER BY one.seq LIMIT %(limit)s
)
SELECT c.*, t.opened_at, t.clicked_at, t.machine_touches, f.bounced_at, f.bounce_status, f.complained_at,
    f.unsubscribed_at, a.code, a.enhanced
FROM chosen c
CROSS JOIN LATERAL (
    SELECT min(at) FILTER (WHERE kind IN {listed(MEANT[OPEN])} AND machine IS NULL) AS opened_at,
        min(at) FILTER (WHERE kind IN {listed(MEANT[CLICK])} AND machine IS NULL) AS clicked_at,
        count(*) FILTER (WHERE machine IS NOT NULL)::integer AS machine_touches
    FROM delivery_touches WHERE delivery_id = c.id) t
CROSS JOIN LATERAL (
    SELECT min(at) FILTER (WHERE kind = 'bounced') AS bounced_at,
        min(enhanced) FILTER (WHERE kind = 'bounced') AS bounce_status,
        min(at) FILTER (WHERE kind = 'complained') AS complained_at,
        min(at) FILTER (WHERE kind = 'unsubscribed') AS unsubscribed_at
    FROM delivery_feedback WHERE delivery_id = c.id) f
LEFT JOIN LATERAL (
    SELECT code, enhanced FROM delivery_attempts
    WHERE delivery_id = c.id AND event IN ('accepted', 'deferred', 'rejected') ORDER BY id DESC LIMIT 1) a ON true
ORDER BY c.seq
"""
# Those who are asked for are found one by one, by their keys, whatever the planner believes of a new audience.
LOOK_UP = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
SECONDS = 5
MOST_PAGES = 32  # looked through at once


@dataclass(frozen=True, slots=True)
class Window:
    """Behind which place in the audience, how many at most, and for how long they may be looked for."""

    after: int
    limit: int
    seconds: int = SECONDS


@dataclass(frozen=True, slots=True)
class Filters:
    """Which recipients; None is any. `variant` is the label of a pinned content; touches are those of people."""

    state: str | None = None
    reason: str | None = None
    variant: str | None = None
    template_variant: str | None = None
    language: str | None = None
    domain: str | None = None
    sender: str | None = None
    opened: bool | None = None
    clicked: bool | None = None
    bounced: bool | None = None
    complained: bool | None = None
    unsubscribed: bool | None = None

    def asked(self, task: Task) -> dict[str, Any]:
        """Return the conditions that were named, with what they ask for.

        Raises:
            Invalid: the task has no such variant.
        """
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.variant is not None:
            labels = [task.label(part) for part in range(len(task.pinned or []))]
            if self.variant not in labels:
                raise Invalid("The task has no variant of this label.", code="unknown_variant")
            found["parts"] = [part for part, label in enumerate(labels) if label == self.variant]
        return {name: value for name, value in found.items() if value is not None and name != "variant"}


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient: what became of their message, and what came back."""

    id: UUID
    seq: int
    user_id: str | None
    part: int
    domain: str | None
    template_variant: str | None
    language: str | None
    state: str
    reason: str | None
    sender: str | None
    attempt: int
    not_before: datetime
    ended_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    machine_touches: int
    bounced_at: datetime | None
    bounce_status: str | None
    complained_at: datetime | None
    unsubscribed_at: datetime | None
    code: int | None
    enhanced: str | None


class Recipients:
    """Reads some recipients after another, each time in a transaction of its own: nothing is held between."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def task(self, tenant_id: UUID, task_id: UUID) -> Task:
        """Return the task they belong to.

        Raises:
            NotFound: there is none.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await task_of(connection, task_id)

    async def some(self, tenant_id: UUID, task: Task, filters: Filters, window: Window) -> list[Recipient]:
        """Return recipients behind a place in the audience.

        Raises:
            Invalid: the task has no such variant.
            TooMany: the tenant asks several large questions already (`too_many_questions`).
        """
        asked = filters.asked(task)
        async with self._database.large_question(tenant_id, window.seconds) as connection:
            await connection.execute(f"{LOOK_UP}; SET LOCAL statement_timeout = '{window.seconds}s'")
            return await _some(connection, task.id, asked, window)


async def _some(connection: Connection, task_id: UUID, asked: Mapping[str, Any], window: Window) -> list[Recipient]:
    """Look through ever more pages at once until there are enough."""
    rows = " ".join(f"AND {ROWS[name]}" for name in asked)
    values = {**asked, "task_id": task_id, "after": window.after}
    few = next((FEW[name] for name in FEW if asked.get(name)), None)
    pages = " ".join(f"AND {PAGES[name]}" for name in asked if name in PAGES)
    statement = PLACES.format(few=few) if few else WHERE.format(pages=pages)
    where = await (await connection.execute(statement, values)).fetchall()
    found: list[Recipient] = []
    at, size = 0, window.limit if few else 1
    while at < len(where) and len(found) < window.limit:
        some = where[at : at + size]
        values["firsts"], values["lasts"] = [one["first_seq"] for one in some], [one["last_seq"] for one in some]
        values["limit"] = window.limit - len(found)
        found += [Recipient(**row) async for row in await connection.execute(SOME.format(rows=rows), values)]
        at, size = at + size, min(2 * size, max(MOST_PAGES, window.limit) if few else MOST_PAGES)
    return found
