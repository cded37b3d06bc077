"""How campaigns fared, some at once, at a price that does not grow with how many opened their mail."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.campaigns import repository
from postroom.campaigns.models import Campaign, CampaignState
from postroom.database.engine import Connection, Database
from postroom.reports.standings import Standing, standings_of, together
from postroom.reports.summary import COUNTS, named

MOST_TASKS = 200  # of one campaign

# What is over has its totals; of the others the pages are asked.
TASKS = """
SELECT id, campaign_id, CASE WHEN ended_at IS NOT NULL THEN totals END AS totals FROM (
    SELECT id, campaign_id, ended_at, totals, row_number() OVER (PARTITION BY campaign_id ORDER BY id DESC) AS number
    FROM campaign_tasks WHERE campaign_id = ANY(%(ids)s) AND launched_at IS NOT NULL
) t WHERE number <= %(most)s
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """A campaign, the recipients of its newest tasks by state, and what came back of them."""

    campaign: Campaign
    counts: Mapping[str, int]
    standing: Standing


class Overviews:
    """Reads how campaigns of one tenant fared."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant_id: UUID, state: CampaignState, window: repository.Window) -> Sequence[Overview]:
        """Return campaigns in a state, newest first."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            campaigns = await repository.listed(connection, tenant_id, state, window)
            return await _overviews(connection, campaigns)


async def _overviews(connection: Connection, campaigns: Sequence[Campaign]) -> list[Overview]:
    asked = {"ids": [one.id for one in campaigns], "most": MOST_TASKS}
    tasks = await (await connection.execute(TASKS, asked)).fetchall()
    totals: dict[UUID, Mapping[str, int]] = {one["id"]: one["totals"] for one in tasks if one["totals"] is not None}
    running = [one["id"] for one in tasks if one["totals"] is None]
    counted: dict[UUID, dict[str, int]] = {task_id: {} for task_id in running}
    async for row in await connection.execute(COUNTS, {"task_ids": running}):
        counted[row["task_id"]][row["state"]] = row["count"]
    read = await standings_of(connection, [one["id"] for one in tasks])
    found = []
    for campaign in campaigns:
        mine = [one["id"] for one in tasks if one["campaign_id"] == campaign.id]
        counts = Counter[str]()
        for task_id in mine:
            counts.update(totals.get(task_id) or counted.get(task_id) or {})
        found.append(Overview(campaign, named(counts), together([read[one] for one in mine if one in read])))
    return found
