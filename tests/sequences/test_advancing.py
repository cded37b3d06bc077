"""Each step is sent once, or left out for a reason; a stop wins or loses, never half."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.errors import Conflict
from postroom.policy.house import CHOICE
from postroom.sequences.course import Step
from postroom.sequences.ending import end_enrolments
from postroom.sequences.enrolling import Enrolments, Newcomer
from postroom.sequences.service import Sequences
from postroom.tenants.choices import write_choice
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.sequences import (
    DAY,
    advanced,
    enrolled,
    enrolment,
    identity,
    made,
    plan,
    steps_of,
    titles,
)
from tests.fixtures.templates import approved, retire, template


def later(**span: float) -> datetime:
    return datetime.now(UTC) + timedelta(**span)


async def states(database: Database, one: Any) -> list[tuple[str, str | None]]:
    return [(step["state"], step["reason"]) for step in await steps_of(database, one)]


async def test_step_by_step_to_the_end(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    one = await enrolled(database, alice, await made(database, alice))
    first = await advanced(database, alice, one, later())
    assert (first.closed, first.counts) == (False, {"sent": 1, "waiting": 2})
    assert timedelta(days=2, hours=23) < first.wait <= timedelta(days=3)
    assert first.story.startswith("step 2 of 3 at ")
    assert (await advanced(database, alice, one, later(days=1))).counts == first.counts
    assert (await advanced(database, alice, one, later(days=3, minutes=1))).counts == {"sent": 2, "waiting": 1}
    last = await advanced(database, alice, one, later(days=13, minutes=1))
    assert (last.closed, last.counts) == (True, {"sent": 3})
    assert await titles(database, alice) == ["Welcome, Ada", "Three tips", "It ends tomorrow"]
    row = await enrolment(database, one)
    assert (row["state"], row["variables"], row["next_poke_at"]) == ("completed", {}, None)


async def test_many_advances_at_once_send_a_step_once(database: Database, tenants: Tenants) -> None:
    alice, moment = tenants.alice, later(seconds=1)
    one = await enrolled(database, alice, await made(database, alice))
    await asyncio.gather(*(advanced(database, alice, one, moment) for _ in range(6)))
    assert await titles(database, alice) == ["Welcome, Ada"]


async def test_steps_whose_time_has_passed_are_skipped(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    newcomer = Newcomer("ada", later(days=-4))
    one = await enrolled(database, alice, await made(database, alice), newcomer)
    await advanced(database, alice, one, later())
    assert await states(database, one) == [
        ("skipped", "already_past"),
        ("skipped", "already_past"),
        ("waiting", None),
    ]
    assert await titles(database, alice) == []


async def test_before_an_anchor_in_the_future(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    trial = plan([Step(-3 * DAY, "Three days left", "x"), Step(-DAY, "One day left", "x"), Step(0, "It ended", "x")])
    one = await enrolled(database, alice, await made(database, alice, trial), Newcomer("ada", later(days=2)))
    waiting = await advanced(database, alice, one, later())
    assert waiting.counts == {"skipped": 1, "waiting": 2}
    await advanced(database, alice, one, later(days=1, minutes=1))
    assert await titles(database, alice) == ["One day left"]


async def test_a_step_that_was_missed_for_a_day_is_left_out(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    one = await enrolled(database, alice, await made(database, alice))
    await advanced(database, alice, one, later(days=5))
    assert await states(database, one) == [("skipped", "missed"), ("skipped", "missed"), ("waiting", None)]


async def test_a_variable_that_is_missing_leaves_its_step_out(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    one = await enrolled(database, alice, await made(database, alice), Newcomer("ada"))
    await advanced(database, alice, one, later())
    assert (await states(database, one))[0] == ("skipped", "variable_missing")


async def test_a_step_speaks_with_the_newest_version(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    welcome = await template(database, alice, "welcome", ["name"])
    steps = [Step(0, template="welcome"), Step(DAY, template="welcome"), Step(2 * DAY, template="welcome")]
    one = await enrolled(database, alice, await made(database, alice, plan(steps)))
    await advanced(database, alice, one, later())
    await approved(database, alice, (welcome, 2), ["name"])
    await advanced(database, alice, one, later(days=1, minutes=1))
    await retire(database, welcome)
    await advanced(database, alice, one, later(days=2, minutes=1))
    statement = "SELECT template_version, variables FROM notification_contents WHERE tenant_id = %s ORDER BY 1"
    said = await rows(database, statement, alice.id)
    assert [(row["template_version"], row["variables"]) for row in said] == [(1, {"name": "Ada"}), (2, {"name": "Ada"})]
    assert (await states(database, one))[2] == ("skipped", "template_not_approved")


async def test_whoever_is_on_the_way_keeps_their_steps(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    sequence = await made(database, alice)
    one = await enrolled(database, alice, sequence)
    await Sequences(database).replace(alice.id, sequence, plan([Step(0, "Other", "x")]))
    await advanced(database, alice, one, later())
    other = await enrolled(database, alice, sequence, Newcomer("bob"))
    await advanced(database, alice, other, later())
    assert await titles(database, alice) == ["Welcome, Ada", "Other"]


async def test_an_event_stops_what_names_it_and_nothing_else(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    trial, news = await made(database, alice), await made(database, alice, plan(stop_on=[]))
    ada, bob = await enrolled(database, alice, trial), await enrolled(database, alice, trial, Newcomer("bob"))
    reads = await enrolled(database, alice, news)
    enrolments = Enrolments(database)
    assert await enrolments.happened(alice.id, "ada", "unheard_of") == 0
    assert [await enrolments.happened(alice.id, "ada", "subscribed") for _ in range(2)] == [1, 0]
    assert (await enrolment(database, ada))["reason"] == "event:subscribed"
    assert [(await enrolment(database, one))["state"] for one in (bob, reads)] == ["active", "active"]
    assert {state for state, _ in await states(database, ada)} == {"cancelled"}
    assert (await advanced(database, alice, ada, later())).closed
    assert await titles(database, alice) == []


async def test_a_stop_and_a_step_at_once_agree(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    trial = await made(database, alice)
    for number in range(10):
        one = await enrolled(database, alice, trial, Newcomer(f"person{number}", variables={"name": "x"}))
        await asyncio.gather(
            advanced(database, alice, one, later()),
            Enrolments(database).happened(alice.id, f"person{number}", "subscribed"),
        )
        first = (await steps_of(database, one))[0]
        count = "SELECT count(*) FROM notifications WHERE tenant_id = %s AND user_id = %s"
        [found] = await rows(database, count, alice.id, f"person{number}")
        assert (first["state"], found["count"]) in {("sent", 1), ("cancelled", 0)}


async def test_a_deleted_sequence_says_nothing_more(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    trial = await made(database, alice)
    one = await enrolled(database, alice, trial)
    await Sequences(database).remove(alice.id, trial)
    assert (await advanced(database, alice, one, later())).closed
    assert (await enrolment(database, one))["reason"] == "sequence_deleted"


async def test_a_person_who_is_erased_is_on_no_way_any_more(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    trial = await made(database, alice)
    one, decoys = await enrolled(database, alice, trial), await made(database, tenants.decoy)
    other = await enrolled(database, tenants.decoy, decoys)
    async with database.tenant_transaction(alice.id) as connection:
        assert await end_enrolments(connection, {"tenant_id": alice.id, "user_id": "ada"}, "erased") == 1
    row = await enrolment(database, one)
    assert (row["state"], row["reason"], row["variables"], row["next_poke_at"]) == ("stopped", "erased", {}, None)
    assert (await enrolment(database, other))["state"] == "active"


async def test_one_way_at_a_time(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    trial = await made(database, alice)
    one = await enrolled(database, alice, trial)
    with pytest.raises(Conflict) as refused:
        await enrolled(database, alice, trial)
    assert refused.value.code == "already_enrolled"
    async with database.tenant_transaction(alice.id) as connection:
        await end_enrolments(connection, {"tenant_id": alice.id, "user_id": "ada"}, "stopped")
    assert await enrolled(database, alice, trial) != one


async def test_everybody_in_their_own_zone(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    zones = {"ada": "Europe/Paris", "bob": "Asia/Tokyo", "eve": "Mars/Olympus", "zoe": None}
    for user_id, zone in zones.items():
        insert = "INSERT INTO contacts (tenant_id, user_id, time_zone) VALUES (%s, %s, %s)"
        await change(database, insert, alice.id, user_id, zone)
    anchor = datetime(2026, 12, 1, 12, tzinfo=UTC)
    people = [Newcomer(name, anchor) for name in [*zones, "unknown"]]
    course = await made(database, alice, plan([Step(DAY, "a", "b", at="09:00")]))
    ids, _ = await Enrolments(database).enrol(identity(alice), course, people, None)
    hours = {name: (await steps_of(database, one))[0]["due_at"].astimezone(UTC).hour for name, one in ids.items()}
    assert hours == {"ada": 8, "bob": 0, "eve": 9, "zoe": 9, "unknown": 9}
    async with database.tenant_transaction(alice.id) as connection:
        await write_choice(connection, alice.id, CHOICE, {"time_zone": "Asia/Tokyo"})
    late, _ = await Enrolments(database).enrol(identity(alice), course, [Newcomer("late", anchor)], None)
    [step] = await steps_of(database, late["late"])
    assert step["due_at"].astimezone(UTC).hour == 0, "the tenant's zone, where the person's is not known"


async def test_a_thousand_at_once(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    trial = await made(database, alice)
    await enrolled(database, alice, trial, Newcomer("p7"))
    people = [Newcomer(f"p{number}") for number in range(1_000)]
    ids, _ = await Enrolments(database).enrol(identity(alice), trial, people, None)
    assert len(ids) == 999
    [steps] = await rows(database, "SELECT count(*) FROM enrolment_steps WHERE tenant_id = %s", alice.id)
    assert steps["count"] == 3_000


async def test_another_tenants_enrolment_is_nobodys(database: Database, tenants: Tenants) -> None:
    theirs = await enrolled(database, tenants.decoy, await made(database, tenants.decoy))
    assert (await advanced(database, tenants.alice, theirs, later())).counts == {}
    assert await titles(database, tenants.decoy) == []
    assert await Enrolments(database).happened(tenants.alice.id, "ada", "subscribed") == 0


async def test_a_zone_that_nobody_knows_any_more_stops_nobody(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    one = await enrolled(database, alice, await made(database, alice))
    await change(database, "UPDATE enrolments SET time_zone = 'Mars/Olympus' WHERE id = %s", one)
    step = await advanced(database, alice, one, datetime.now(UTC))
    due = (await steps_of(database, one))[1]["due_at"].astimezone(UTC)
    assert step.story == f"step 2 of 3 at {due:%Y-%m-%d %H:%M} UTC"
