"""What came back after acceptance, by recipient: opens and clicks of people and of machines, bounces, complaints."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postroom.database.engine import Connection
from postroom.reports.counting import Dimension, grouping
from postroom.tracking.meaning import MEANT

# Each recipient once for each thing that their touches mean; `human` counts those that no machine made. How often
# something was done is how often it was done itself.
TOUCHED = """
WITH touched AS (
    SELECT t.task_id, m.kind, t.delivery_id, count(*) FILTER (WHERE t.kind = m.kind) AS times,
        count(*) FILTER (WHERE t.kind = m.kind AND machine IS NULL) AS human_times,
        count(*) FILTER (WHERE machine IS NULL) AS human, min(at) FILTER (WHERE machine IS NULL) AS first
    FROM delivery_touches t JOIN unnest(%(meant)s::text[], %(made)s::text[]) AS m (kind, made) ON m.made = t.kind
    WHERE task_id = ANY(%(task_ids)s) GROUP BY t.task_id, m.kind, t.delivery_id
)
"""
MEANINGS = [(meant, made) for meant, touches in MEANT.items() for made in touches]
MEANING = {"meant": [str(meant) for meant, _ in MEANINGS], "made": [str(made) for _, made in MEANINGS]}
TOUCHES = f"""
{TOUCHED}
SELECT kind, date_trunc(%(bucket)s, first, 'UTC') AS at, count(*)::integer AS everybody,
    count(*) FILTER (WHERE human > 0)::integer AS human,
    sum(times)::integer AS times, sum(human_times)::integer AS human_times
FROM touched GROUP BY 1, 2 ORDER BY 1, 2
"""
# Which recipients they were, under each thing that a report tells them apart by.
TOLD_APART = [one for one in Dimension if one is not Dimension.OUTCOME]
BY_GROUP = """
{touched}
SELECT t.kind, CASE {which} END AS dimension, coalesce({keys}) AS key, count(*)::integer AS everybody,
    count(*) FILTER (WHERE t.human > 0)::integer AS human
FROM touched t JOIN deliveries d ON d.id = t.delivery_id
JOIN task_recipients r ON r.task_id = d.task_id AND r.seq = d.seq
WHERE d.task_id = ANY(%(task_ids)s) AND r.task_id = ANY(%(task_ids)s)
GROUP BY GROUPING SETS ({sets})
""".format(touched=TOUCHED, **grouping("t.kind", TOLD_APART))
# What stands in one mail alone has no position: those links are one line, so that all of them come to all clicks.
LINKS = """
SELECT nullif(l.position, 0) AS position, l.url, coalesce(c.everybody, 0) AS everybody, coalesce(c.human, 0) AS human,
    coalesce(c.times, 0) AS times, coalesce(c.human_times, 0) AS human_times
FROM (
    SELECT position, url FROM task_links WHERE task_id = %(task_id)s UNION ALL SELECT 0, NULL
) l LEFT JOIN (
    SELECT link, count(*)::integer AS everybody, count(*) FILTER (WHERE human > 0)::integer AS human,
        sum(times)::integer AS times, sum(human)::integer AS human_times
    FROM (SELECT coalesce(link, 0) AS link, delivery_id, count(*) AS times,
              count(*) FILTER (WHERE machine IS NULL) AS human
          FROM delivery_touches WHERE task_id = %(task_id)s AND kind = 'click' GROUP BY 1, delivery_id) one
    GROUP BY link
) c ON c.link = l.position
WHERE l.position > 0 OR c.times > 0 ORDER BY c.human DESC NULLS LAST, l.position LIMIT %(limit)s
"""
FEEDBACK = """
SELECT kind, permanent, count(*)::integer AS count
FROM (SELECT task_id, kind, delivery_id, bool_or(permanent) AS permanent FROM delivery_feedback
      WHERE task_id = ANY(%(task_ids)s) AND kind = ANY(%(kinds)s) GROUP BY task_id, kind, delivery_id) one
GROUP BY kind, permanent
"""
MOST_LINKS = 200
KINDS = ("delivered", "delayed", "bounced", "complained", "unsubscribed")


@dataclass(frozen=True, slots=True)
class Touches:
    """Recipients, each once (`everybody`, and those of them who did it themselves), and how often in all."""

    everybody: int = 0
    human: int = 0
    times: int = 0
    human_times: int = 0

    def plus(self, other: "Touches") -> "Touches":
        """Add up what belongs to different recipients."""
        return Touches(
            self.everybody + other.everybody,
            self.human + other.human,
            self.times + other.times,
            self.human_times + other.human_times,
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """People whose first touch of a kind fell into a bucket; `at` is None for what only machines touched."""

    kind: str
    at: datetime | None
    touches: Touches


@dataclass(frozen=True, slots=True)
class Group:
    """Recipients who touched, under one key of a dimension."""

    kind: str
    dimension: str
    key: str | None
    everybody: int
    human: int


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a task and who followed it; without position and address all that stand in one mail alone."""

    position: int | None
    url: str | None
    touches: Touches


@dataclass(frozen=True, slots=True)
class Feedback:
    """Recipients by what became known later; a bounce is permanent if any word of it was."""

    delivered: int = 0
    delayed: int = 0
    bounced_permanently: int = 0
    bounced_temporarily: int = 0
    complained: int = 0
    unsubscribed: int = 0

    @property
    def bounced(self) -> int:
        """All who bounced."""
        return self.bounced_permanently + self.bounced_temporarily


async def touches_of(connection: Connection, task_ids: Sequence[UUID], bucket: str) -> list[Moment]:
    """Count who opened and clicked, by when they first did."""
    rows = await connection.execute(TOUCHES, {"task_ids": list(task_ids), "bucket": bucket} | MEANING)
    return [Moment(row.pop("kind"), row.pop("at"), Touches(**row)) async for row in rows]


async def groups_of(connection: Connection, task_id: UUID) -> list[Group]:
    """Count who opened and clicked, under each thing that recipients are told apart by."""
    return [Group(**row) async for row in await connection.execute(BY_GROUP, {"task_ids": [task_id]} | MEANING)]


async def links_of(connection: Connection, task_id: UUID) -> list[Link]:
    """Count who followed which link; the most followed first."""
    rows = await connection.execute(LINKS, {"task_id": task_id, "limit": MOST_LINKS})
    return [Link(row.pop("position"), row.pop("url"), Touches(**row)) async for row in rows]


async def feedback_of(connection: Connection, task_ids: Sequence[UUID], kinds: Sequence[str] = KINDS) -> Feedback:
    """Count what providers and people said after acceptance."""
    found: dict[str, int] = {}
    rows = await connection.execute(FEEDBACK, {"task_ids": list(task_ids), "kinds": list(kinds)})
    async for row in rows:
        name = row["kind"]
        if name == "bounced":
            name = "bounced_permanently" if row["permanent"] else "bounced_temporarily"
        found[name] = found.get(name, 0) + row["count"]
    return Feedback(**found)


def total(moments: Sequence[Moment], kind: str) -> Touches:
    """Add up the touches of one kind."""
    whole = Touches()
    for moment in moments:
        if moment.kind == kind:
            whole = whole.plus(moment.touches)
    return whole
