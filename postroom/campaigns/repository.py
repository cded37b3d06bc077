"""Statements about campaigns, inside a tenant's transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from postroom.campaigns.models import Campaign, CampaignState
from postroom.campaigns.transitions import RUNNING
from postroom.database.engine import Connection
from postroom.database.wording import listed as words

COLUMNS = """
c.id, c.name, c.description, c.state, c.api_key_id, c.created_at, c.updated_at,
(SELECT coalesce(jsonb_object_agg(s.state, s.tasks), '{}') FROM (
    SELECT t.state, count(*) AS tasks FROM campaign_tasks t WHERE t.campaign_id = c.id GROUP BY t.state) s) AS tasks
"""
FIND = f"SELECT {COLUMNS} FROM campaigns c WHERE c.id = %s"
LIST = f"""
SELECT {COLUMNS} FROM campaigns c
WHERE c.tenant_id = %(tenant_id)s AND c.state = %(state)s AND (%(after)s::uuid IS NULL OR c.id < %(after)s)
ORDER BY c.id DESC LIMIT %(count)s
"""
ADD = """
INSERT INTO campaigns (id, tenant_id, name, description, api_key_id)
VALUES (%(id)s, %(tenant_id)s, %(name)s, %(description)s, %(key_id)s)
"""
REPLACE = "UPDATE campaigns SET name = %(name)s, description = %(description)s, updated_at = now() WHERE id = %(id)s"
ARCHIVE = "UPDATE campaigns SET state = 'archived', updated_at = now() WHERE id = %s"
HOLD = "SELECT state FROM campaigns WHERE id = %s FOR SHARE"
HOLD_OF_TASK = """
SELECT state FROM campaigns WHERE id = (SELECT campaign_id FROM campaign_tasks WHERE id = %s) FOR SHARE
"""
CLAIM = "SELECT state FROM campaigns WHERE id = %s FOR NO KEY UPDATE"
RUNS = f"SELECT EXISTS (SELECT FROM campaign_tasks WHERE campaign_id = %s AND state IN {words(RUNNING)}) AS runs"

Window = tuple[Any, int]  # where the rows start, or None; and how many


async def find(connection: Connection, campaign_id: UUID) -> Campaign | None:
    """Return a campaign with its tasks counted."""
    row = await (await connection.execute(FIND, (campaign_id,))).fetchone()
    return Campaign.of(row) if row else None


async def listed(connection: Connection, tenant_id: UUID, state: CampaignState, window: Window) -> Sequence[Campaign]:
    """Return campaigns in a state, newest first."""
    asked = {"tenant_id": tenant_id, "state": state, "after": window[0], "count": window[1]}
    return [Campaign.of(row) async for row in await connection.execute(LIST, asked)]


async def add(connection: Connection, values: Mapping[str, Any]) -> None:
    """Insert a campaign."""
    await connection.execute(ADD, values)


async def replace(connection: Connection, values: Mapping[str, Any]) -> None:
    """Give a campaign another name and description."""
    await connection.execute(REPLACE, values)


async def archive(connection: Connection, campaign_id: UUID) -> None:
    """Put a campaign away."""
    await connection.execute(ARCHIVE, (campaign_id,))


async def hold(connection: Connection, campaign_id: UUID) -> CampaignState | None:
    """Return the state of a campaign, which nobody archives until the transaction ends; None when there is none."""
    return await _state(connection, HOLD, campaign_id)


async def hold_of_task(connection: Connection, task_id: UUID) -> CampaignState | None:
    """Do the same for the campaign of a task."""
    return await _state(connection, HOLD_OF_TASK, task_id)


async def claim(connection: Connection, campaign_id: UUID) -> CampaignState | None:
    """Return the state of a campaign, to which nothing is added and of which nothing is launched meanwhile."""
    return await _state(connection, CLAIM, campaign_id)


async def runs(connection: Connection, campaign_id: UUID) -> bool:
    """Tell whether a task of a campaign is under way."""
    [row] = await (await connection.execute(RUNS, (campaign_id,))).fetchall()
    return bool(row["runs"])


async def _state(connection: Connection, statement: str, named: UUID) -> CampaignState | None:
    row = await (await connection.execute(statement, (named,))).fetchone()
    return CampaignState(row["state"]) if row else None
