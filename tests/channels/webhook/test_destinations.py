"""One receiver's circuit, rate and places; none of it says anything about another."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.channels.base import Answer, Phase, Verdict
from postroom.channels.webhook.circuit import FAILURES, Circuit
from postroom.channels.webhook.destinations import (
    PLACES,
    PLACES_OF_A_HOST,
    PLACES_OF_A_TENANT,
    Destination,
    Destinations,
)
from postroom.identity import new_id
from postroom.timing import Timing

TIMING = replace(
    Timing(),
    outage_first=timedelta(seconds=0.1),
    outage_last=timedelta(seconds=0.3),
    place_patience=timedelta(seconds=0.05),
)
TENANT = new_id()
WELL = Answer(Verdict.ACCEPTED, Phase.ANSWER, "accepted", code=200)
ILL = Answer(Verdict.DEFERRED, Phase.ANSWER, "receiver_error", code=500)
SILENT = Answer(Verdict.DEFERRED, Phase.ANSWER, "no_answer")
REFUSED = Answer(Verdict.DEFERRED, Phase.ANSWER, "receiver_refused", code=404)
AWAY = Answer(Verdict.BUSY, Phase.CONNECT, "destination_unreachable")
RESTS = Answer(Verdict.DEFERRED, Phase.ANSWER, "receiver_busy", code=503, retry_after=timedelta(seconds=60))


@pytest.fixture
def destination() -> Destination:
    return Destinations(TIMING).of(new_id(), new_id(), "shop.example.com")


def tried(circuit: Circuit, *answers: Answer | None) -> None:
    for answer in answers:
        assert circuit.enter()
        circuit.leave(answer)


async def test_a_failed_connection_opens_and_one_at_a_time_probes() -> None:
    circuit = Circuit(TIMING)
    tried(circuit, AWAY)
    assert not circuit.enter()
    await asyncio.sleep(0.12)
    assert circuit.enter()
    assert not circuit.enter()
    circuit.leave(AWAY)
    assert 0.1 < circuit.wait <= 0.2
    await asyncio.sleep(0.22)
    tried(circuit, WELL, WELL)
    assert circuit.wait == 0


@pytest.mark.parametrize("failure", [ILL, SILENT])
async def test_a_row_of_failures_opens(failure: Answer) -> None:
    circuit = Circuit(TIMING)
    tried(circuit, *[failure] * (FAILURES - 1), WELL, *[failure] * (FAILURES - 1))
    assert circuit.wait == 0
    tried(circuit, failure)
    assert circuit.wait > 0
    assert circuit.reason == "destination_failing"


async def test_refusals_and_withdrawals_say_nothing_about_its_health() -> None:
    circuit = Circuit(TIMING)
    withdrawn = Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn")
    tried(circuit, *[REFUSED] * 20, *[withdrawn] * 20, *[None] * 20)
    assert circuit.wait == 0


async def test_a_receiver_that_asks_for_rest_gets_it() -> None:
    circuit = Circuit(TIMING)
    tried(circuit, RESTS)
    assert 59 < circuit.wait <= 60


async def test_five_at_a_time_and_the_next_waits_only_a_moment(destination: Destination) -> None:
    inside = [new_id() for _ in range(PLACES)]
    assert [await destination.enter(one, 1_000) for one in inside] == [None] * PLACES
    refusal = await destination.enter(new_id(), 1_000)
    assert refusal is not None
    assert (refusal.verdict, refusal.reason) == (Verdict.BUSY, "destination_busy")
    waiting = asyncio.create_task(destination.enter(new_id(), 1_000))
    await asyncio.sleep(0)
    destination.leave(inside[0], WELL, sent=True)
    assert await waiting is None


async def test_nobody_waits_in_line_for_a_slow_one(destination: Destination) -> None:
    inside = [new_id() for _ in range(PLACES)]
    for one in inside:
        await destination.enter(one, 1_000)
    await asyncio.sleep(0.6)
    destination.leave(inside[0], WELL, sent=True)
    await destination.enter(new_id(), 1_000)
    async with asyncio.timeout(0.04):
        turned = [await destination.enter(new_id(), 1_000) for _ in range(100)]
    waits = [one.retry_after for one in turned if one and one.retry_after]
    assert len(waits) == 100
    assert waits == sorted(waits)
    assert waits[-1] > 2 * waits[0]


async def test_over_the_rate_each_is_told_a_time_of_its_own(destination: Destination) -> None:
    inside = [new_id() for _ in range(4)]
    for one in inside:
        await destination.enter(one, 4)
        destination.leave(one, WELL, sent=True)
    others = [new_id() for _ in range(8)]
    minutes = []
    for one in others:
        refusal = await destination.enter(one, 4)
        assert refusal is not None
        assert refusal.reason == "rate_limited"
        minutes.append(round((refusal.retry_after or timedelta()) / timedelta(minutes=1)))
    assert minutes == [1] * 4 + [2] * 4
    again = await destination.enter(others[0], 4)
    assert again is not None
    assert again.retry_after is not None
    assert again.retry_after < timedelta(minutes=3)


async def test_who_gives_up_waiting_takes_no_place_along() -> None:
    known = Destinations(TIMING)
    crowd = [known.of(TENANT, new_id(), f"{number}.example.com") for number in range(4)]
    for destination in crowd:
        for _ in range(PLACES):
            assert await destination.enter(new_id(), 1_000) is None
    late = known.of(TENANT, new_id(), "late.example.com")
    waiting = [asyncio.create_task(late.enter(new_id(), 1_000)) for _ in range(PLACES)]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert late.idle


async def test_what_was_not_sent_does_not_count(destination: Destination) -> None:
    for _ in range(3):
        one = new_id()
        assert await destination.enter(one, 1) is None
        destination.leave(one, Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn"), sent=False)
    last = new_id()
    assert await destination.enter(last, 1) is None
    destination.leave(last, WELL, sent=True)
    assert await destination.enter(new_id(), 1) is not None


async def test_one_host_is_not_flooded_through_many_endpoints() -> None:
    known = Destinations(TIMING)
    entered = 0
    for _ in range(10):
        destination = known.of(new_id(), new_id(), "victim.example.com")
        entered += sum([await destination.enter(new_id(), 1_000) is None for _ in range(PLACES)])
    assert entered == PLACES_OF_A_HOST
    assert await known.of(new_id(), new_id(), "other.example.com").enter(new_id(), 1_000) is None


async def test_one_tenants_slow_endpoints_leave_others_their_slots() -> None:
    known = Destinations(TIMING)
    entered = 0
    for number in range(10):
        destination = known.of(TENANT, new_id(), f"slow-{number}.example.com")
        entered += sum([await destination.enter(new_id(), 1_000) is None for _ in range(PLACES)])
    assert entered == PLACES_OF_A_TENANT
    assert await known.of(new_id(), new_id(), "slow-1.example.com").enter(new_id(), 1_000) is None


async def test_what_is_idle_is_forgotten_and_what_is_in_use_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.channels.webhook.destinations.REMEMBERED", 2)
    known, endpoint, visitor = Destinations(TIMING), new_id(), new_id()
    busy = known.of(TENANT, endpoint, "a.example.com")
    assert await busy.enter(visitor, 100) is None
    for number in range(5):
        known.of(TENANT, new_id(), f"idle-{number}.example.com")
    assert known.of(TENANT, endpoint, "a.example.com") is busy
    busy.leave(visitor, WELL, sent=True)


async def test_a_dead_one_says_nothing_about_another() -> None:
    known = Destinations(TIMING)
    dead, alive = (known.of(new_id(), new_id(), "shop.example.com") for _ in range(2))
    one = new_id()
    await dead.enter(one, 100)
    dead.leave(one, AWAY, sent=False)
    assert await dead.enter(new_id(), 100) is not None
    assert await alive.enter(new_id(), 100) is None


async def test_the_same_endpoint_is_known_again_until_its_host_changes() -> None:
    known, endpoint = Destinations(TIMING), UUID(int=1)
    assert known.of(TENANT, endpoint, "a.example.com") is known.of(TENANT, endpoint, "a.example.com")
    assert known.of(TENANT, endpoint, "a.example.com") is not known.of(TENANT, endpoint, "b.example.com")
