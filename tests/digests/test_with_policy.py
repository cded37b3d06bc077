"""From a wish for digests to the message in the inbox, through policy, send passes and the closing."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.digests.closing_times import closes_at
from postroom.notifications.control import Control
from postroom.policy.reconsidering import reconsidered
from postroom.policy.zones import find_zone
from tests.digests.ground import TIMING, TYPE, Ground
from tests.fixtures.house import gather
from tests.fixtures.rows import Draft, change, deliveries, notification, rows
from tests.policy.people import Desk, know, wish

PARIS = "Europe/Paris"
COME_BACK = """
WITH moved AS (
    UPDATE notifications SET due_at = least(due_at, now()) WHERE tenant_id = %s AND state = 'open' RETURNING id)
UPDATE deliveries SET not_before = not_before - %s WHERE notification_id IN (SELECT id FROM moved)
"""


@pytest.fixture
async def desk(ground: Ground) -> Desk:
    """Ada, who lives in Paris, wants to hear of parcels once a day."""
    await know(ground.database, ground.tenant_id, time_zone=PARIS, quiet_hours={"enabled": False})
    await wish(ground.database, ground.tenant_id, f"ada {TYPE} in_app", frequency="daily")
    return Desk(ground.database, ground.tenant_id)


async def send_all(desk: Desk) -> None:
    """Carry whatever has no carrier yet, and run a pass over it."""
    await gather(desk.database, desk.timing, desk.tenant_id)
    statement = "SELECT id FROM notifications WHERE tenant_id = %s AND state = 'open' ORDER BY id"
    for row in await rows(desk.database, statement, desk.tenant_id):
        await desk.run(row["id"])


async def inbox(desk: Desk) -> list[str]:
    """Titles in Ada's inbox, in order."""
    statement = "SELECT title FROM inbox_messages WHERE tenant_id = %s ORDER BY id"
    return [row["title"] for row in await rows(desk.database, statement, desk.tenant_id)]


async def want(desk: Desk, frequency: str) -> None:
    """Change the wish as the API does."""
    async with reconsidered(desk.database, desk.tenant_id, "ada") as connection:
        await connection.execute("UPDATE preferences SET frequency = %s WHERE user_id = 'ada'", (frequency,))


async def test_three_events_come_as_one_message_in_the_morning(desk: Desk, ground: Ground) -> None:
    ids = await desk.accept(*[Draft(desk.tenant_id)] * 3, kind=TYPE)
    for one in ids:
        await desk.run(one)
    digest = await ground.digest()
    assert digest["closes_at"] == closes_at("daily", find_zone(PARIS).info, datetime.now(UTC))
    assert await inbox(desk) == []
    await ground.close()
    await send_all(desk)
    assert await inbox(desk) == [f"3 updates about {TYPE}"]
    [told] = await ground.told()
    assert (await notification(desk.database, told["id"]))["state"] == "sent"


async def test_what_waits_in_a_digest_needs_no_workflow_of_its_own(desk: Desk) -> None:
    await wish(desk.database, desk.tenant_id, f"bob {TYPE} in_app", frequency="weekly")
    one = await desk.go(Draft(desk.tenant_id, user_id="bob"), TYPE)
    assert (await notification(desk.database, one))["carrier_id"] is None


async def test_the_digest_itself_is_decided_like_any_message(desk: Desk, ground: Ground) -> None:
    await desk.go(Draft(desk.tenant_id), TYPE)
    await ground.close()
    await change(
        desk.database,
        "UPDATE contacts SET paused_until = now() + interval '1 day' WHERE tenant_id = %s",
        desk.tenant_id,
    )
    await send_all(desk)
    [told] = await ground.told()
    assert await desk.stands(told["id"]) == ("pending", "paused")
    assert len(await ground.digests()) == 1


async def test_whoever_wants_it_at_once_gets_what_waits(desk: Desk, ground: Ground) -> None:
    one = await desk.go(Draft(desk.tenant_id), TYPE)
    await want(desk, "immediate")
    await send_all(desk)
    assert await inbox(desk) == ["Hello"]
    await ground.close()
    assert (await ground.digest())["state"] == "empty"
    assert (await notification(desk.database, one))["state"] == "sent"


async def test_whoever_wants_it_hourly_moves_the_digest(desk: Desk, ground: Ground) -> None:
    await desk.go(Draft(desk.tenant_id), TYPE)
    await want(desk, "hourly")
    await send_all(desk)
    assert (await ground.digest())["closes_at"] == closes_at("hourly", find_zone(PARIS).info, datetime.now(UTC))


async def test_whoever_unsubscribes_is_told_nothing(desk: Desk, ground: Ground) -> None:
    one = await desk.go(Draft(desk.tenant_id), TYPE)
    async with reconsidered(desk.database, desk.tenant_id, "ada") as connection:
        await connection.execute("UPDATE preferences SET enabled = false WHERE user_id = 'ada'")
    await ground.close()
    await send_all(desk)
    assert (await ground.told(), await inbox(desk)) == ([], [])
    assert (await notification(desk.database, one))["reason"] == "unsubscribed"


async def test_send_now_waits_for_no_digest(desk: Desk, ground: Ground) -> None:
    one = await desk.go(Draft(desk.tenant_id), TYPE)
    await Control(desk.database, TIMING).send_now(desk.tenant_id, one)
    await send_all(desk)
    await ground.close()
    assert (await inbox(desk), (await ground.digest())["state"]) == (["Hello"], "empty")


OUTCOMES = """
SELECT n.origin, n.state, n.reason, (p.metadata ->> 'digest_items')::integer AS items,
       (SELECT count(*) FROM inbox_messages m WHERE m.notification_id = n.id) AS copies
FROM notifications n JOIN notification_contents p ON p.notification_id = n.id WHERE n.tenant_id = %s
"""


@pytest.mark.parametrize("seed", range(3))
async def test_whoever_cannot_decide_while_it_closes_is_told_everything_once(
    desk: Desk, ground: Ground, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - chance that can be repeated is what a seed is for
    for one in await desk.accept(*[Draft(desk.tenant_id)] * 12, kind=TYPE):
        await desk.run(one)
    await ground.let_pass()
    await ground.closings()

    async def waver() -> None:
        for frequency in ("hourly", "immediate", "daily", "immediate"):
            await asyncio.sleep(chance.uniform(0, 0.03))
            await want(desk, frequency)
            await send_all(desk)

    async def close() -> None:
        await asyncio.sleep(chance.uniform(0, 0.05))
        await ground.close_due()

    await asyncio.gather(waver(), close(), close())
    for _ in range(2):
        await send_all(desk)
        await ground.close()
    await send_all(desk)
    found = await rows(desk.database, OUTCOMES, desk.tenant_id)
    assert {(row["state"], row["reason"], row["copies"]) for row in found} <= {
        ("sent", "accepted", 1),
        ("skipped", "digested", 0),
    }
    told = sum(row["items"] for row in found if row["origin"] == "digest")
    assert told == sum(row["reason"] == "digested" for row in found)
    assert sum(row["origin"] == "request" for row in found) == 12


@pytest.mark.parametrize("lost", ["row", "workflow"])
async def test_an_item_whose_digest_is_lost_comes_back_by_itself(desk: Desk, ground: Ground, lost: str) -> None:
    one = await desk.go(Draft(desk.tenant_id, life=timedelta(days=9)), TYPE)
    digest: UUID = (await ground.digest())["id"]
    if lost == "row":
        await change(desk.database, "DELETE FROM digests WHERE id = %s", digest)
    else:
        await ground.let_pass()  # and nobody closes it
    await change(desk.database, COME_BACK, desk.tenant_id, timedelta(days=2))
    await send_all(desk)
    *_, anew = await ground.digests()
    assert (anew["id"] != digest, anew["state"], await ground.items(anew["id"])) == (True, "open", [one])
    await ground.close()
    await send_all(desk)
    assert await inbox(desk) == [f"1 update about {TYPE}"]


async def test_one_for_all_channels_waits_in_each_digest(desk: Desk, ground: Ground) -> None:
    await wish(desk.database, desk.tenant_id, f"ada {TYPE} email", frequency="weekly")
    draft = Draft(desk.tenant_id, channels=(ChannelKind.IN_APP, ChannelKind.EMAIL), strategy="all")
    one = await desk.go(draft, TYPE)
    await desk.run(one, ChannelKind.EMAIL)
    assert sorted(digest["channel"] for digest in await ground.digests()) == ["email", "in_app"]
    waits = [delivery["not_before"] for delivery in await deliveries(desk.database, one)]
    assert waits[0] <= waits[1]
