"""What became of an audience, counted: pages that rest from their lines, the others from the rows, in one statement.

Every line of an answer comes from one snapshot, and each dimension counts every recipient once: whatever moves
meanwhile, each of them sums to the audience.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from postroom.database.engine import Connection


class Dimension(StrEnum):
    """By what recipients are told apart; `outcome` is the reason and the minute of the end."""

    OUTCOME = "outcome"
    VARIANT = "variant"
    LANGUAGE = "language"
    DOMAIN = "domain"
    SENDER = "sender"


AUDIENCE = "audience"  # the dimension of the one line that says how many there are


@dataclass(frozen=True, slots=True)
class Line:
    """So many recipients in this state, under this key; `minute` counts from 1970 and is that of the end."""

    dimension: str
    key: str | None
    state: str
    minute: int | None
    count: int


# A quarter of a million lines are added up in memory; sorted on disk they take three times as long.
ROOM = "SET LOCAL work_mem = '32MB'"
# Both sides of a page are read as they lie and meet there: half of what looking up each neighbour takes. While an
# audience is new to the planner's statistics a page seems to be one row, and without this each of its thousand would be
# compared with each other.
MEET = "SET LOCAL enable_nestloop = off"

# A page's row changes with every change of its deliveries that its counts do not tell: its version is that of the row,
# and whoever counts a page in the same snapshot counts exactly that version. Pages whose counts know nobody in any of
# the states that are asked for are left out.
PAGES = """
pages AS MATERIALIZED (
    SELECT number, first_seq, last_seq, counted, xmin::text::bigint AS version
    FROM task_pages
    WHERE task_id = %(task_id)s AND number > %(after)s
        AND (NOT counted OR %(states)s::text[] IS NULL OR counts ?| %(states)s::text[])
), open AS MATERIALIZED (
    SELECT p.* FROM pages p WHERE NOT p.counted OR NOT EXISTS (
        SELECT FROM task_page_lines l WHERE l.task_id = %(task_id)s AND l.dimension = 'outcome'
            AND l.number = p.number AND l.version = p.version)
)
"""

# The rows of some pages (`of`), each read once, whatever it is counted under.
ROWS = """
SELECT p.number, p.version, one.* FROM {of} p CROSS JOIN LATERAL (
    SELECT CASE {which} END AS dimension, coalesce({keys}) AS key, state, minute, count(*)::integer AS count
    FROM (
        SELECT d.state, d.reason, d.language, d.provider, r.domain, r.part, d.template_variant,
            floor(date_part('epoch', d.ended_at) / 60)::integer AS minute
        FROM deliveries d JOIN task_recipients r ON r.seq = d.seq
        WHERE d.task_id = %(task_id)s AND d.seq BETWEEN p.first_seq AND p.last_seq
            AND r.task_id = %(task_id)s AND r.seq BETWEEN p.first_seq AND p.last_seq
    ) recipient
    GROUP BY GROUPING SETS ({sets})
) one
"""
# What is grouped by besides the state; what the others are grouped by is null then, and so the key is the one that is
# not.
GROUPED: Mapping[Dimension, tuple[str, ...]] = {
    Dimension.OUTCOME: ("minute", "reason"),
    Dimension.VARIANT: ("part", "template_variant"),
    Dimension.LANGUAGE: ("language",),
    Dimension.DOMAIN: ("domain",),
    Dimension.SENDER: ("provider",),
}
KEYS: Mapping[Dimension, str] = {
    Dimension.OUTCOME: "reason",
    Dimension.VARIANT: "part || ':' || coalesce(template_variant, '')",
    Dimension.LANGUAGE: "language",
    Dimension.DOMAIN: "domain",
    Dimension.SENDER: "provider",
}


def grouping(by: str, dimensions: Sequence[Dimension]) -> dict[str, str]:
    """Return what a statement says to group by a column and each of these dimensions: `which`, `keys` and `sets`."""
    return {
        "which": " ".join(f"WHEN GROUPING({GROUPED[one][0]}) = 0 THEN '{one}'" for one in dimensions),
        "keys": ", ".join(KEYS[one] for one in dimensions),
        "sets": ", ".join(f"({by}, {', '.join(GROUPED[one])})" for one in dimensions),
    }


def _rows(of: str, dimensions: Sequence[Dimension]) -> str:
    """Return the statement that counts the rows of some pages; the outcome is always among the dimensions."""
    return ROWS.format(of=of, **grouping("state", dimensions))


COUNT = f"""
WITH {PAGES}
SELECT dimension, key, state, minute, sum(count)::integer AS count
FROM (
    SELECT l.dimension, u.key, u.state, u.minute, u.count
    FROM pages p
    JOIN task_page_lines l ON l.task_id = %(task_id)s AND l.number = p.number AND l.version = p.version,
    unnest(l.keys, l.states, l.minutes, l.counts) AS u (key, state, minute, count)
    WHERE p.counted AND l.dimension = ANY(%(dimensions)s)
    UNION ALL
    SELECT dimension, key, state, minute, count FROM ({{rows}}) live
    UNION ALL
    SELECT '{AUDIENCE}', NULL, '', NULL, audience FROM campaign_tasks
    WHERE id = %(task_id)s AND audience IS NOT NULL
) line
GROUP BY dimension, key, state, minute
"""

# Whoever takes a person out of a page waits for its lines, and takes those away as well; whoever counts it afterwards
# sees that they are gone. So pages are locked by one statement and counted by the next.
REST = f"""
WITH {PAGES}
SELECT p.number FROM task_pages p WHERE p.task_id = %(task_id)s AND p.counted
    AND p.number IN (SELECT number FROM open WHERE counted)
ORDER BY p.number LIMIT %(limit)s FOR SHARE OF p SKIP LOCKED
"""
FOLD = f"""
WITH chosen AS MATERIALIZED (
    SELECT number, first_seq, last_seq, xmin::text::bigint AS version FROM task_pages
    WHERE task_id = %(task_id)s AND number = ANY(%(numbers)s) AND counted
)
INSERT INTO task_page_lines AS l (task_id, dimension, number, tenant_id, version, keys, states, minutes, counts)
SELECT %(task_id)s, dimension, number, current_tenant(), version, array_agg(key), array_agg(state),
    array_agg(minute), array_agg(count)
FROM ({_rows("chosen", list(Dimension))}) live
GROUP BY dimension, number, version ORDER BY dimension, number
ON CONFLICT (task_id, dimension, number) DO UPDATE SET version = excluded.version, keys = excluded.keys,
    states = excluded.states, minutes = excluded.minutes, counts = excluded.counts
"""


async def count(
    connection: Connection,
    task_id: UUID,
    dimensions: Sequence[Dimension] = tuple(Dimension),
    states: Sequence[str] | None = None,
) -> list[Line]:
    """Count a task's audience along some dimensions, the outcome among them, in one snapshot.

    With `states`, only these are counted whole: pages in which nobody is in one of them are left out.
    """
    asked = {
        "task_id": task_id,
        "dimensions": list(map(str, dimensions)),
        "after": 0,
        "states": None if states is None else list(states),
    }
    await connection.execute(f"{ROOM}; {MEET}")
    statement = COUNT.format(rows=_rows("open", dimensions))
    return [Line(**row) async for row in await connection.execute(statement, asked)]


async def fold(connection: Connection, task_id: UUID, after: int, limit: int) -> int | None:
    """Write lines for some pages that are counted and have none; returns the last one's number, None without any."""
    asked = {"task_id": task_id, "after": after, "limit": limit, "states": None}
    await connection.execute(MEET)
    numbers = [row["number"] async for row in await connection.execute(REST, asked)]
    if numbers:
        await connection.execute(FOLD, {"task_id": task_id, "numbers": numbers})
    return max(numbers, default=None)
