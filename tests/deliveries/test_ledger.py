"""Mark and record: who may write what, and that evidence of acceptance always may."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from postroom.channels.base import Answer, Phase, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.ledger import Claim
from postroom.identity import address_hash
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.house import PEPPER
from tests.fixtures.ledger import ACCEPTED, DEFERRED, REJECTED, WITHDRAWN, Bench, claimed
from tests.fixtures.rows import Draft, change, rows
from tests.fixtures.waiting import until

TIMING = Timing()
SUPPRESSED = "SELECT channel, scope, reason, source FROM suppressions WHERE tenant_id = %s"
BYTES = b"From: a\r\n\r\nhello\r\n"


async def test_a_mark_keeps_the_bytes_and_counts_the_attempt(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    assert await bench.ledger.mark(bench.claim, BYTES, "relay")
    row = await bench.delivery()
    assert (row["state"], row["attempt"], row["provider"]) == ("handing_off", 1, "relay")
    kept = await rows(database, "SELECT message FROM delivery_messages WHERE delivery_id = %s", row["id"])
    assert kept == [{"message": BYTES}]


@pytest.mark.parametrize(
    "change_first",
    [
        "token = uuidv7()",
        "lease_until = now() - interval '1 s'",
        "not_before = now() + interval '1 min'",
        "expires_at = now() - interval '1 s'",
        "state = 'cancelled', token = NULL",
        "state = 'pending', token = NULL",
        "state = 'handing_off'",
    ],
)
async def test_a_mark_is_refused_when(database: Database, tenants: Tenants, change_first: str) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.set(change_first)
    assert not await bench.ledger.mark(bench.claim, BYTES, "relay")
    assert await bench.events() == []


async def test_a_mark_is_refused_for_who_was_suppressed_after_the_claim(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    hashed = address_hash(PEPPER, "in_app", "ada")
    await change(database, "INSERT INTO suppressions VALUES (%s, 'in_app', %s, 'asked')", tenants.decoy.id, hashed)
    await change(database, "INSERT INTO suppressions VALUES (%s, 'in_app', %s, 'asked')", tenants.alice.id, hashed)
    assert not await bench.ledger.mark(bench.claim, BYTES, "relay")


async def test_only_the_decoy_suppressed_is_no_reason(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    hashed = address_hash(PEPPER, "in_app", "ada")
    await change(database, "INSERT INTO suppressions VALUES (%s, 'in_app', %s, 'asked')", tenants.decoy.id, hashed)
    assert await bench.ledger.mark(bench.claim, BYTES, "relay")


@pytest.mark.parametrize(
    "state", ["pending", "claimed", "handing_off", "deferred", "unknown", "held", "rejected", "failed", "expired"]
)
async def test_acceptance_overrides_every_state_without_a_token(
    database: Database, tenants: Tenants, state: str
) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.set(f"state = '{state}', token = NULL")
    assert await bench.ledger.record(Claim(bench.claim.delivery_id, uuid4()), ACCEPTED)
    row = await bench.delivery()
    assert (row["state"], row["late"]) == ("accepted", state in {"rejected", "failed", "expired"})
    assert not await bench.ledger.record(bench.claim, ACCEPTED)


@pytest.mark.parametrize("answer", [DEFERRED, REJECTED, WITHDRAWN])
async def test_other_answers_count_for_the_owner_alone(database: Database, tenants: Tenants, answer: Answer) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, BYTES, "relay")
    assert not await bench.ledger.record(Claim(bench.claim.delivery_id, uuid4()), answer)
    assert await bench.state() == "handing_off"
    assert await bench.ledger.record(bench.claim, answer)
    assert not await bench.ledger.record(bench.claim, answer)


async def test_accepted_is_absorbing(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, BYTES, "relay")
    await bench.ledger.record(bench.claim, ACCEPTED)
    for answer in (DEFERRED, REJECTED, WITHDRAWN):
        assert not await bench.ledger.record(bench.claim, answer)
    assert await bench.state() == "accepted"


async def test_the_plan_waits_one_five_fifteen_and_then_ends(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    waits = []
    for _ in range(4):
        token = uuid4()
        await bench.set(
            f"state = 'claimed', token = '{token}', not_before = now(), lease_until = now() + interval '1 min'"
        )
        claim = Claim(bench.claim.delivery_id, token)
        assert await bench.ledger.mark(claim, BYTES, "relay")
        assert await bench.ledger.record(claim, DEFERRED)
        row = await bench.delivery()
        waits.append(row["not_before"] - row["marked_at"])
    assert [round(wait / timedelta(minutes=1)) for wait in waits[:3]] == [1, 5, 15]
    assert (row["state"], row["reason"], row["attempt"]) == ("rejected", "retries_exhausted", 4)


async def test_the_providers_own_wish_lengthens_a_wait(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, BYTES, "relay")
    wish = Answer(Verdict.DEFERRED, Phase.ANSWER, "temporary_refusal", retry_after=timedelta(minutes=37))
    await bench.ledger.record(bench.claim, wish)
    row = await bench.delivery()
    assert round((row["not_before"] - row["marked_at"]) / timedelta(minutes=1)) == 37


async def test_a_refusal_before_the_mark_counts_as_an_attempt(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    assert await bench.ledger.record(bench.claim, DEFERRED)
    row = await bench.delivery()
    assert (row["state"], row["attempt"], row["marked_at"]) == ("deferred", 1, None)
    assert await bench.events() == ["deferred"]


async def test_a_mark_whose_outcome_nobody_learned_is_taken_back(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, BYTES, "relay")
    assert await bench.ledger.record(bench.claim, WITHDRAWN)
    assert await bench.state() == "pending"


async def test_many_connections_share_their_statements(database: Database, tenants: Tenants) -> None:
    benches = [await claimed(database, Draft(tenants.alice.id), TIMING) for _ in range(20)]
    ledger = benches[0].ledger
    marks = await asyncio.gather(*(ledger.mark(bench.claim, BYTES, "relay") for bench in benches))
    assert all(marks)
    await asyncio.gather(*(ledger.record(bench.claim, ACCEPTED) for bench in benches))
    assert {await bench.state() for bench in benches} == {"accepted"}


async def test_a_mark_lasts_as_long_as_its_channel_can_take(database: Database, tenants: Tenants) -> None:
    benches = {channel: await claimed(database, Draft(tenants.alice.id), TIMING) for channel in ChannelKind}
    for channel, bench in benches.items():
        await bench.set(f"channel = '{channel}'")
    ledger = benches[ChannelKind.EMAIL].ledger
    assert all(await asyncio.gather(*(ledger.mark(bench.claim, BYTES, "any") for bench in benches.values())))
    lasts = {}
    for channel, bench in benches.items():
        row = await bench.delivery()
        lasts[channel] = round((row["lease_until"] - row["marked_at"]).total_seconds())
    assert lasts == {ChannelKind.EMAIL: 640, ChannelKind.IN_APP: 15, ChannelKind.WEBHOOK: 32}


async def is_marked(bench: Bench) -> bool:
    return await bench.state() == "handing_off"


async def test_no_body_goes_before_the_answers_heard_until_then_are_written(
    database: Database, tenants: Tenants
) -> None:
    answered, following = [await claimed(database, Draft(tenants.alice.id), TIMING) for _ in range(2)]
    ledger = answered.ledger
    assert await ledger.mark(answered.claim, BYTES, "relay")
    async with database.system_transaction() as connection:
        held = "SELECT FROM deliveries WHERE id = %s FOR UPDATE"
        await connection.execute(held, (answered.claim.delivery_id,))
        recording = asyncio.create_task(ledger.record(answered.claim, ACCEPTED))
        marking = asyncio.create_task(ledger.mark(following.claim, BYTES, "relay"))
        await until(lambda: is_marked(following), 60)
        await asyncio.sleep(0.05)
        assert not marking.done()
    assert await recording
    assert await marking


@pytest.mark.parametrize("marked", [False, True])
async def test_a_mailbox_that_is_not_there_is_suppressed_with_the_refusal(
    database: Database,
    tenants: Tenants,
    marked: bool,  # noqa: FBT001 - a table
) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    if marked:
        await bench.ledger.mark(bench.claim, BYTES, "relay")
    refusal = replace(REJECTED, reason="mailbox_unknown", enhanced="5.1.1")
    strangers = Claim(bench.claim.delivery_id, uuid4())
    assert not await bench.ledger.record(strangers, refusal)
    assert await rows(database, SUPPRESSED, tenants.alice.id) == []
    assert await bench.ledger.record(bench.claim, refusal)
    [entry] = await rows(database, SUPPRESSED, tenants.alice.id)
    assert entry == {"channel": "in_app", "scope": "all", "reason": "bounced", "source": "feedback"}
    assert await rows(database, SUPPRESSED, tenants.decoy.id) == []


async def test_other_refusals_suppress_nothing(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    assert await bench.ledger.record(bench.claim, replace(REJECTED, reason="mailbox_full"))
    assert await rows(database, SUPPRESSED, tenants.alice.id) == []
