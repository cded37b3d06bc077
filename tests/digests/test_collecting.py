"""What waits for a digest is in exactly one, however many come at once."""

import asyncio
from datetime import timedelta

from postroom.contracts.vocabulary import ChannelKind
from postroom.digests.collecting import Collected
from postroom.digests.service import Digests
from tests.digests.ground import TIMING, TYPE, Ground, tomorrow
from tests.fixtures.rows import Draft, change, deliveries, notification


async def test_a_hundred_events_at_once_are_one_digest(ground: Ground) -> None:
    ids = await asyncio.gather(*(ground.waits() for _ in range(100)))
    digest = await ground.digest()
    assert await ground.items(digest["id"]) == sorted(ids)
    assert digest["closes_at"] == tomorrow()


async def test_what_is_collected_twice_is_in_it_once(ground: Ground) -> None:
    draft = Draft(ground.tenant_id)
    one = await ground.accepted(draft)
    for _ in range(2):
        await ground.collected([one], draft)
    assert await ground.items((await ground.digest())["id"]) == [one]
    assert [event["kind"] for event in await ground.events(one)] == ["collected"]


async def test_it_waits_until_some_time_after_the_digest_should_have_closed(ground: Ground) -> None:
    one = await ground.waits()
    [delivery] = await deliveries(ground.database, one)
    assert (delivery["state"], delivery["reason"]) == ("pending", "digest")
    assert delivery["not_before"] == tomorrow() + TIMING.digest_grace


async def test_people_types_and_channels_do_not_mix(ground: Ground) -> None:
    await asyncio.gather(*(ground.waits(Draft(ground.tenant_id, user_id=name)) for name in ("ada", "bob", "ada")))
    assert sorted(digest["user_id"] for digest in await ground.digests()) == ["ada", "bob"]


async def test_pages_that_meet_in_the_same_digests_do_not_wait_in_a_ring(ground: Ground) -> None:
    people = [f"user-{number}" for number in range(8)]
    pages = [
        [
            Collected(await ground.accepted(Draft(ground.tenant_id, user_id=one)), one, TYPE, "in_app", tomorrow())
            for one in (people if turn % 2 else reversed(people))
        ]
        for turn in range(6)
    ]
    await asyncio.gather(*(ground.collect(page) for page in pages))
    assert [len(await ground.items(digest["id"])) for digest in await ground.digests()] == [6] * 8


async def test_what_comes_when_its_time_is_over_is_in_the_next(ground: Ground) -> None:
    first = await ground.waits()
    await ground.let_pass()
    later = await ground.waits()
    closing, opened = await ground.digests()
    assert (closing["state"], opened["state"]) == ("closing", "open")
    assert (await ground.items(closing["id"]), await ground.items(opened["id"])) == ([first], [later])


async def test_what_was_begun_before_somebody_closed_it_does_not_put_it_off_again(ground: Ground) -> None:
    await ground.waits()
    digest = (await ground.digest())["id"]
    draft = Draft(ground.tenant_id)
    later = await ground.accepted(draft)
    async with ground.database.tenant_transaction(ground.tenant_id) as connection:
        await connection.execute("SELECT now()")
        await Digests(ground.database).close(ground.tenant_id, digest)
        await ground.collect_in(connection, [Collected(later, "ada", TYPE, "in_app", tomorrow())])
    await ground.close_due()
    [told, *_] = await ground.digests()
    assert (told["state"], told["items"]) == ("sent", 2)


async def test_a_digest_moves_with_the_latest_wish(ground: Ground) -> None:
    draft = Draft(ground.tenant_id)
    one = await ground.waits(draft)
    [closing] = await ground.closings()
    await change(ground.database, "UPDATE closings SET owed = false WHERE id = %s", closing["id"])
    later = tomorrow() + timedelta(days=5)
    await ground.collected([one], draft, later)
    digest = await ground.digest()
    assert (digest["closes_at"], digest["closing_id"]) == (later, closing["id"])
    assert (await ground.closings())[0]["owed"]
    assert [event["kind"] for event in await ground.events(one)] == ["collected", "collected"]
    [delivery] = await deliveries(ground.database, one)
    assert delivery["not_before"] == later + TIMING.digest_grace


async def test_a_life_that_nobody_named_begins_when_the_digest_closes(ground: Ground) -> None:
    draft = Draft(ground.tenant_id, life=TIMING.life_transactional)
    one = await ground.waits(draft, tomorrow() + timedelta(days=6))
    expected = tomorrow() + timedelta(days=6) + TIMING.life_transactional
    assert (await notification(ground.database, one))["expires_at"] == expected
    assert (await deliveries(ground.database, one))[0]["expires_at"] == expected
    await ground.collected([one], draft, tomorrow() + timedelta(days=13))
    moved = expected + timedelta(days=7)
    assert (await notification(ground.database, one))["expires_at"] == moved


async def test_the_turn_of_a_channel_begins_anew_behind_the_digest(ground: Ground) -> None:
    channels = (ChannelKind.IN_APP, ChannelKind.EMAIL)
    one = await ground.waits(Draft(ground.tenant_id, channels=channels, life=TIMING.life_transactional))
    [delivery] = await deliveries(ground.database, one)
    ends = (await notification(ground.database, one))["expires_at"]
    assert delivery["not_before"] < delivery["expires_at"] <= ends


async def test_a_life_that_somebody_named_stays_what_it_is(ground: Ground) -> None:
    one = await ground.accepted(draft := Draft(ground.tenant_id, life=timedelta(hours=2)))
    before = (await notification(ground.database, one))["expires_at"]
    await ground.collected([one], draft)
    assert (await notification(ground.database, one))["expires_at"] == before
