"""Reports of one tenant's tasks and campaigns, counted when they are asked for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.reports.afterwards import AfterwardsReader
from postroom.reports.counting import ROOM, count, fold
from postroom.reports.engagement import Feedback, Touches, feedback_of, total, touches_of
from postroom.reports.horizon import latest_wait
from postroom.reports.report import Report, report_of
from postroom.reports.standings import Standing, standings_of, together
from postroom.reports.summary import Summary, named, summaries_of
from postroom.reports.tasks import chosen_bucket, task_of, tasks_of
from postroom.statistics.question import Bucket
from postroom.tracking.meaning import CLICK, OPEN

PAGES_AT_ONCE = 50  # of a thousand recipients: a tenth of a second
MOST_TASKS = 200
HEAVY = 20_000  # touches of a task, whose reading takes some 50 ms


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """All tasks of a campaign together; somebody who is in two of them counts twice."""

    id: UUID
    name: str
    tasks: Sequence[Summary]
    counts: dict[str, int]
    feedback: Feedback
    opens: Touches
    clicks: Touches


class Reports:
    """Counts from the rows: what is kept of them only holds while it is what the rows say."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._afterwards = AfterwardsReader(database)

    async def of_task(self, tenant_id: UUID, task_id: UUID, bucket: Bucket | None) -> tuple[Report, Bucket]:
        """Report on a task, its times cut into buckets.

        Raises:
            NotFound: there is no such task.
            Invalid: it reaches over too many buckets of this kind.
            TooMany: the tenant asks several large questions already (`too_many_questions`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            task = await task_of(connection, task_id)
        chosen = chosen_bucket(task, bucket)
        await self._fold(tenant_id, task_id)
        async with self._database.large_question(tenant_id) as connection:
            lines = await count(connection, task_id)
            latest = await latest_wait(connection, task_id)
        afterwards = await self._afterwards.read(tenant_id, task_id, chosen)
        return report_of(task, lines, afterwards, latest), chosen

    async def _fold(self, tenant_id: UUID, task_id: UUID) -> None:
        """Have lines for all pages that rest: each some at once, so that no wait is in vain."""
        reached: int | None = 0
        while reached is not None:
            async with self._database.large_question(tenant_id) as connection:
                reached = await fold(connection, task_id, reached, PAGES_AT_ONCE)

    async def of_campaign(self, tenant_id: UUID, campaign_id: UUID) -> CampaignReport:
        """Report on the newest tasks of a campaign.

        Raises:
            NotFound: there is no such campaign.
        """
        async with self._database.large_question(tenant_id) as connection:
            await connection.execute(ROOM)
            name, tasks = await tasks_of(connection, campaign_id, MOST_TASKS)
            summaries = await summaries_of(connection, tasks)
            standing = await _came_back(connection, [task.id for task in tasks])
        counts = Counter[str]()
        for one in summaries:
            counts.update(one.counts)
        return CampaignReport(
            campaign_id, name, summaries, named(counts), standing.feedback, standing.opens, standing.clicks
        )


async def _came_back(connection: Connection, task_ids: Sequence[UUID]) -> Standing:
    """What came back of some tasks, read now; of those with so much that it takes long, as it was read lately."""
    known = await standings_of(connection, task_ids)
    heavy = {one: known[one] for one in known if known[one].opens.times + known[one].clicks.times > HEAVY}
    others = [one for one in task_ids if one not in heavy]
    moments = await touches_of(connection, others, Bucket.DAY)
    now = Standing(None, await feedback_of(connection, others), total(moments, OPEN), total(moments, CLICK))
    return together([now, *heavy.values()])
