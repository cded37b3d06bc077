"""How a task stands at this moment, at a price that can be paid every second: its state and its counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES, DeliveryState
from postroom.database.engine import Connection
from postroom.reports.tasks import Task, task_of

COUNTS = """
WITH pages AS MATERIALIZED (
    SELECT task_id, first_seq, last_seq, counted, counts FROM task_pages WHERE task_id = ANY(%(task_ids)s)
)
SELECT task_id, state, sum(count)::integer AS count FROM (
    SELECT p.task_id, c.key AS state, c.value::integer AS count
    FROM pages p, jsonb_each_text(p.counts) c WHERE p.counted
    UNION ALL
    SELECT p.task_id, d.state, d.count FROM pages p CROSS JOIN LATERAL (
        SELECT state, count(*)::integer AS count FROM deliveries
        WHERE task_id = p.task_id AND seq BETWEEN p.first_seq AND p.last_seq GROUP BY state
    ) d WHERE NOT p.counted
    UNION ALL
    SELECT id, 'audience', audience FROM campaign_tasks WHERE id = ANY(%(task_ids)s) AND audience IS NOT NULL
) one
GROUP BY task_id, state
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """A task, and its recipients by state: every state is named, and they sum to the audience once there is one."""

    task: Task
    audience: int | None
    counts: Mapping[str, int]

    @property
    def final(self) -> int:
        """How many are accounted for."""
        return sum(self.counts[state] for state in FINAL_DELIVERY_STATES)


def named(found: Mapping[str, int]) -> dict[str, int]:
    """Name every state, also those in which nobody is."""
    return {str(state): found.get(state, 0) for state in DeliveryState}


async def summaries_of(connection: Connection, tasks: Sequence[Task]) -> list[Summary]:
    """Count the recipients of some tasks by state; audience and counts are of one snapshot."""
    found: dict[UUID, dict[str, int]] = {one.id: {} for one in tasks}
    async for row in await connection.execute(COUNTS, {"task_ids": list(found)}):
        found[row["task_id"]][row["state"]] = row["count"]
    return [Summary(one, found[one.id].get("audience"), named(found[one.id])) for one in tasks]


async def summary_of(connection: Connection, task_id: UUID) -> Summary:
    """Read how a task stands.

    Raises:
        NotFound: there is no such task.
    """
    [summary] = await summaries_of(connection, [await task_of(connection, task_id)])
    return summary
