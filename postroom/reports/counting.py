"""What became of an audience, counted: pages that rest from their lines, the others from the rows, in one statement.

Every line of an answer comes from one snapshot, and each dimension counts every recipient once: whatever moves
meanwhile, each of them sums to the audience.
"""

from collections.abc import Sequence
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
# Neighbours are looked up one by one, by their keys. While an audience is new to the planner's statistics, a page
# seems to be one row, and each of its thousand would be compared with each other.
LOOK_UP = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"

# A page's row changes with every change of its deliveries that its counts do not tell: its version is that of the row,
# and whoever counts a page in the same snapshot counts exactly that version.
PAGES = """
pages AS MATERIALIZED (
    SELECT number, first_seq, last_seq, counted, next_at IS NULL AS settled, xmin::text::bigint AS version
    FROM task_pages
    WHERE task_id = %(task_id)s AND number > %(after)s
), open AS MATERIALIZED (
    SELECT p.* FROM pages p WHERE NOT p.counted OR NOT EXISTS (
        SELECT FROM task_page_lines l WHERE l.task_id = %(task_id)s AND l.dimension = 'outcome'
            AND l.number = p.number AND l.version = p.version)
)
"""

# The rows of some pages (`of`), counted once under each dimension. A page is read by itself: neighbours lie together.
ROWS = """
SELECT p.number, p.version, u.dimension, u.key, one.state, u.minute, count(*)::integer AS count
FROM {of} p CROSS JOIN LATERAL (
    SELECT d.state, d.reason, d.language, d.provider, r.domain,
        r.part || ':' || coalesce(d.template_variant, '') AS variant,
        (extract(epoch FROM d.ended_at)::bigint / 60)::integer AS minute
    FROM deliveries d JOIN task_recipients r ON r.task_id = d.task_id AND r.seq = d.seq
    WHERE d.task_id = %(task_id)s AND d.seq BETWEEN p.first_seq AND p.last_seq
    OFFSET 0
) one CROSS JOIN LATERAL (VALUES ('outcome', one.reason, one.minute), ('variant', one.variant, NULL),
    ('language', one.language, NULL), ('domain', one.domain, NULL), ('sender', one.provider, NULL)
) AS u (dimension, key, minute)
WHERE u.dimension = ANY(%(dimensions)s)
GROUP BY p.number, p.version, u.dimension, u.key, one.state, u.minute
"""

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
    SELECT dimension, key, state, minute, count FROM ({ROWS.format(of="open")}) live
    UNION ALL
    SELECT '{AUDIENCE}', NULL, '', NULL, audience FROM campaign_tasks
    WHERE id = %(task_id)s AND audience IS NOT NULL
) line
GROUP BY dimension, key, state, minute
"""

FOLD = f"""
WITH {PAGES}, chosen AS MATERIALIZED (
    SELECT * FROM open WHERE counted AND (settled OR NOT %(settled)s) ORDER BY number LIMIT %(limit)s
), folded AS (
    INSERT INTO task_page_lines AS l (task_id, dimension, number, tenant_id, version, keys, states, minutes, counts)
    SELECT %(task_id)s, dimension, number, current_tenant(), version, array_agg(key), array_agg(state),
        array_agg(minute), array_agg(count)
    FROM ({ROWS.format(of="chosen")}) live
    GROUP BY dimension, number, version ORDER BY dimension, number
    ON CONFLICT (task_id, dimension, number) DO UPDATE SET version = excluded.version, keys = excluded.keys,
        states = excluded.states, minutes = excluded.minutes, counts = excluded.counts
)
SELECT max(number) AS reached FROM chosen
"""


async def count(connection: Connection, task_id: UUID, dimensions: Sequence[Dimension]) -> list[Line]:
    """Count a task's audience along some dimensions, in one snapshot."""
    asked = {"task_id": task_id, "dimensions": list(map(str, dimensions)), "after": 0}
    await connection.execute(f"{ROOM}; {LOOK_UP}")
    return [Line(**row) async for row in await connection.execute(COUNT, asked)]


async def fold(connection: Connection, task_id: UUID, window: tuple[int, int], *, settled: bool = False) -> int | None:
    """Write lines for some pages that rest; returns the last one's number, None without any.

    `window` is the page to start behind, and how many at most. With `settled`, only for pages that nobody needs to look
    at again.
    """
    asked = {
        "task_id": task_id,
        "dimensions": list(map(str, Dimension)),
        "after": window[0],
        "limit": window[1],
        "settled": settled,
    }
    await connection.execute(LOOK_UP)
    row = await (await connection.execute(FOLD, asked)).fetchone()
    return row["reached"] if row else None
