"""Closing: what still waits becomes one notification, once; what is wanted otherwise meanwhile goes its own way."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from postroom.contracts.digests import Closing
from postroom.contracts.vocabulary import ChannelKind
from postroom.digests.collecting import Collected
from postroom.digests.items import LISTED
from postroom.errors import Conflict
from postroom.identity import DIGEST, NOTIFICATION, public_id
from postroom.notifications.control import Control
from postroom.policy.reconsidering import reconsidered
from tests.digests.ground import TIMING, TYPE, Ground, tomorrow
from tests.fixtures.database import Tenants
from tests.fixtures.rows import Draft, change, deliveries, notification, rows

TICK = timedelta(milliseconds=50)


async def test_one_notification_takes_the_place_of_all(ground: Ground) -> None:
    ids = [await ground.waits() for _ in range(3)]
    await ground.close()
    digest, [told] = await ground.digest(), await ground.told()
    assert (digest["state"], digest["notification_id"], digest["items"]) == ("sent", told["id"], 3)
    assert (told["user_id"], told["channels"], told["notification_type"]) == ("ada", ["in_app"], TYPE)
    assert (told["state"], told["priority"], told["class"]) == ("open", 3, "transactional")
    assert told["title"] == "3 updates about order_shipped"
    assert told["metadata"] == {"digest_id": public_id(DIGEST, digest["id"]), "digest_items": 3}
    for one in ids:
        row, [delivery] = await notification(ground.database, one), await deliveries(ground.database, one)
        assert (row["state"], row["reason"]) == ("skipped", "digested")
        assert (delivery["state"], delivery["reason"]) == ("skipped", "digested")
        event = (await ground.events(one))[-1]
        assert (event["kind"], event["detail"]["notification"]) == ("digested", public_id(NOTIFICATION, told["id"]))


async def test_nothing_is_told_of_nothing(ground: Ground) -> None:
    one = await ground.waits()
    await Control(ground.database, TIMING).cancel(ground.tenant_id, one)
    await ground.close()
    assert (await ground.digest())["state"] == "empty"
    assert await ground.told() == []
    assert (await notification(ground.database, one))["state"] == "cancelled"


async def test_only_the_first_are_spelled_out_and_the_others_counted(ground: Ground) -> None:
    draft = Draft(ground.tenant_id)
    await ground.collected([await ground.accepted(draft) for _ in range(LISTED + 7)], draft)
    await ground.close()
    [told] = await ground.told()
    assert told["title"] == "27 updates about order_shipped"
    assert told["body_text"].count("A word from us.") == LISTED
    assert "and 7 more" in told["body_text"]
    assert "and 7 more" in told["body_html"]


async def test_two_who_close_at_once_tell_once(ground: Ground) -> None:
    for name in ("ada", "bob", "cyd"):
        for _ in range(3):
            await ground.waits(Draft(ground.tenant_id, user_id=name))
    await ground.let_pass()
    closings = [Closing(ground.tenant_id, one["id"]) for one in await ground.closings()]
    await asyncio.gather(*(ground.closer().close(one) for one in closings * 4))
    assert sorted(one["user_id"] for one in await ground.told()) == ["ada", "bob", "cyd"]
    assert [one["items"] for one in await ground.digests()] == [3, 3, 3]


async def test_a_step_that_is_done_again_finds_nothing_to_do(ground: Ground) -> None:
    await ground.waits()
    await ground.let_pass()
    [closing] = await ground.closings()
    at, closer = Closing(ground.tenant_id, closing["id"]), ground.closer()
    ids = await closer.begin(at)
    assert await closer.begin(at) == ids  # the reply was lost, or the worker was
    await closer.finish(ground.tenant_id, ids)
    await closer.finish(ground.tenant_id, ids)
    assert await closer.begin(at) == []
    assert len(await ground.told()) == 1


async def test_what_comes_while_it_closes_is_in_the_next(ground: Ground) -> None:
    first = await ground.waits()
    await ground.let_pass()
    [closing] = await ground.closings()
    ids = await ground.closer().begin(Closing(ground.tenant_id, closing["id"]))
    late = await ground.waits()
    await ground.closer().finish(ground.tenant_id, ids)
    closed, opened = await ground.digests()
    assert (closed["items"], opened["state"]) == (1, "open")
    assert (await notification(ground.database, first))["reason"] == "digested"
    assert (await notification(ground.database, late))["state"] == "open"


async def test_items_that_come_while_digests_close_are_told_exactly_once(ground: Ground) -> None:
    async def arriving() -> None:
        for _ in range(40):
            now = datetime.now(UTC)
            await ground.waits(closes_at=now + TICK - (now - datetime.min.replace(tzinfo=UTC)) % TICK)
            await asyncio.sleep(0.005)

    async def closing() -> None:
        for _ in range(20):
            await ground.close_due()
            await asyncio.sleep(0.01)

    await asyncio.gather(arriving(), arriving(), closing(), closing())
    await ground.close()
    told = await ground.told()
    assert len(told) > 1
    assert sum(one["metadata"]["digest_items"] for one in told) == 80
    open_ones = (
        "SELECT count(*) AS count FROM notifications WHERE tenant_id = %s AND state = 'open' AND origin = 'request'"
    )
    assert await rows(ground.database, open_ones, ground.tenant_id) == [{"count": 0}]


@pytest.mark.parametrize("wish", ["cancel", "send_now", "reschedule", "free"])
async def test_what_is_wanted_otherwise_while_it_closes_is_in_or_out_never_both(ground: Ground, wish: str) -> None:
    draft = Draft(ground.tenant_id, life=TIMING.life_transactional)
    ids = [await ground.waits(draft) for _ in range(6)]
    control = Control(ground.database, TIMING)

    async def ask() -> None:
        if wish == "free":
            async with reconsidered(ground.database, ground.tenant_id, "ada"):
                pass
        for one in ids[:3] if wish != "free" else ():
            asked = {"cancel": control.cancel, "send_now": control.send_now}.get(wish)
            await (asked(ground.tenant_id, one) if asked else control.reschedule(ground.tenant_id, one, tomorrow()))

    results = await asyncio.gather(ground.close(), ask(), return_exceptions=True)
    assert all(one is None or isinstance(one, Conflict) for one in results)  # digested before it was asked
    told = sum(one["metadata"]["digest_items"] for one in await ground.told())
    digested = [one for one in ids if (await notification(ground.database, one))["reason"] == "digested"]
    assert told == len(digested)
    for one in set(ids) - set(digested):
        [delivery] = await deliveries(ground.database, one)
        assert (delivery["state"], delivery["reason"]) != ("skipped", "digested")


async def test_whoever_wants_it_at_once_gets_it_alone(ground: Ground) -> None:
    one = await ground.waits()
    async with reconsidered(ground.database, ground.tenant_id, "ada"):
        pass
    await ground.close()
    [delivery] = await deliveries(ground.database, one)
    assert (delivery["state"], delivery["reason"]) == ("pending", None)
    assert (await ground.digest())["state"] == "empty"


async def test_another_channel_has_no_turn_after_a_digest(ground: Ground) -> None:
    draft = Draft(ground.tenant_id, channels=(ChannelKind.EMAIL, ChannelKind.IN_APP), metadata={"email": "ada@shop.de"})
    one = await ground.waits(draft)
    await ground.close()
    [told] = await ground.told()
    assert (told["channels"], told["metadata"]["email"]) == (["email"], "ada@shop.de")
    assert (await notification(ground.database, one))["state"] == "skipped"
    assert len(await deliveries(ground.database, one)) == 1


async def test_one_that_was_refused_elsewhere_before_is_told_all_the_same(ground: Ground) -> None:
    one = await ground.waits(Draft(ground.tenant_id, channels=(ChannelKind.EMAIL, ChannelKind.IN_APP)))
    refused = "UPDATE deliveries SET state = 'rejected', reason = 'mailbox_unknown' WHERE notification_id = %s"
    await change(ground.database, refused, one)
    second = """
        INSERT INTO deliveries (tenant_id, notification_id, position, channel, expires_at)
        VALUES (%s, %s, 1, 'in_app', now())
    """
    await change(ground.database, second, ground.tenant_id, one)
    await ground.collect([Collected(one, "ada", TYPE, ChannelKind.IN_APP, tomorrow())])
    await ground.close()
    row = await notification(ground.database, one)
    assert (row["state"], row["reason"]) == ("skipped", "digested")
    assert [digest["state"] for digest in await ground.digests()] == ["empty", "sent"]


async def test_of_all_channels_each_has_its_own_digest(ground: Ground) -> None:
    draft = Draft(ground.tenant_id, channels=(ChannelKind.IN_APP, ChannelKind.EMAIL), strategy="all")
    one = await ground.waits(draft)
    await ground.close()
    row = await notification(ground.database, one)
    assert row["state"] == "open"  # the mail goes its own way
    assert [delivery["state"] for delivery in await deliveries(ground.database, one)] == ["skipped", "pending"]


async def test_an_item_of_two_digests_is_told_in_one(ground: Ground) -> None:
    one = await ground.accepted(draft := Draft(ground.tenant_id))
    await ground.collected([one], draft)
    await ground.let_pass()
    await ground.collected([one], draft)  # it came back before the first one was closed
    await ground.close()
    assert sorted(digest["state"] for digest in await ground.digests()) == ["empty", "sent"]
    assert len(await ground.told()) == 1


async def test_the_type_decides_on_class(ground: Ground) -> None:
    await change(
        ground.database,
        "INSERT INTO notification_types (tenant_id, name, group_name, class) VALUES (%s, %s, 'news', 'marketing')",
        ground.tenant_id,
        TYPE,
    )
    await ground.waits(Draft(ground.tenant_id, priority=4))
    await ground.waits(Draft(ground.tenant_id, priority=2))
    await ground.close()
    [told] = await ground.told()
    assert (told["class"], told["priority"]) == ("marketing", 2)
    assert told["expires_at"] - told["created_at"] == TIMING.life_marketing


async def test_another_tenant_sees_nothing(ground: Ground, tenants: Tenants) -> None:
    await ground.waits()
    await ground.let_pass()
    [closing] = await ground.closings()
    plan = await ground.closer().close(Closing(tenants.decoy.id, closing["id"]))
    assert plan.closed
    assert (await ground.digest())["state"] == "open"
    for table in ("digests", "digest_items", "closings"):
        async with ground.database.tenant_transaction(tenants.decoy.id) as connection:
            found = await connection.execute(f"SELECT count(*) AS count FROM {table}")
            assert await found.fetchone() == {"count": 0}


async def test_the_clock_of_the_database_decides(ground: Ground) -> None:
    await ground.waits()
    await ground.let_pass(timedelta(hours=30))
    [closing] = await ground.closings()
    at = Closing(ground.tenant_id, closing["id"])
    await ground.let_pass(timedelta(hours=-48))  # it was set back: not yet
    plan = await ground.closer().close(at)
    assert (plan.due, plan.closed) == (0, False)
    assert plan.wait is not None
    assert plan.wait > timedelta(hours=17)
    assert await ground.told() == []
