"""A person is erased while digests wait for them and close."""

import asyncio

import pytest

from postroom.database.engine import Database
from tests.digests.ground import Ground
from tests.fixtures.database import Tenants
from tests.fixtures.rows import Draft, change, rows
from tests.privacy.conftest import Office

LEFT = """
SELECT 'digest' AS what FROM digests WHERE tenant_id = %(tenant)s AND user_id = 'ada'
UNION ALL SELECT 'notification' FROM notifications WHERE tenant_id = %(tenant)s AND (user_id = 'ada' OR state = 'open')
UNION ALL SELECT 'words' FROM notification_contents p JOIN notifications n ON n.id = p.notification_id
    WHERE n.tenant_id = %(tenant)s AND n.user_id IS NULL AND coalesce(p.title, p.body_text, p.body_html) IS NOT NULL
"""


@pytest.fixture
def ground(database: Database, tenants: Tenants) -> Ground:
    return Ground(database, tenants.alice.id, tenants.alice.slug)


async def left(ground: Ground) -> list[str]:
    """What still names Ada, waits, or says something."""
    async with ground.database.system_transaction() as connection:
        found = await connection.execute(LEFT, {"tenant": ground.tenant_id})
        return [row["what"] async for row in found]


async def test_a_digest_goes_with_its_person(office: Office, ground: Ground, tenants: Tenants) -> None:
    for _ in range(3):
        await ground.waits()
    [closing] = await ground.closings()
    await office.erase(tenants.alice, "ada")
    assert await left(ground) == []
    await ground.close()
    assert (await ground.told(), await left(ground)) == ([], [])
    [closed] = await rows(ground.database, "SELECT state FROM closings WHERE id = %s", closing["id"])
    assert closed["state"] == "closed"


@pytest.mark.parametrize("head_start", [0.0, 0.005, 0.02])
async def test_erasing_and_closing_at_once_leaves_nobody(
    office: Office, ground: Ground, tenants: Tenants, head_start: float
) -> None:
    for _ in range(20):
        await ground.waits()
    await ground.waits(Draft(ground.tenant_id, user_id="bob"))
    await ground.let_pass()
    await ground.closings()

    async def erase() -> None:
        await asyncio.sleep(head_start)
        await office.erase(tenants.alice, "ada")

    await asyncio.gather(erase(), ground.close_due())
    await change(ground.database, "UPDATE person_jobs SET next_at = now() WHERE state = 'open'")
    await office.rounds.round()
    [bobs] = [one for one in await ground.told() if one["user_id"]]
    assert (bobs["user_id"], bobs["metadata"]["digest_items"]) == ("bob", 1)
    assert await left(ground) == ["notification"], "only the one for Bob is open"
