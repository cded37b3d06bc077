"""The engine is brought into line with the rows, whoever touched it and whenever it was away."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from temporalio.client import Client, ScheduleDescription, ScheduleHandle
from temporalio.service import RPCError, RPCStatusCode

from postroom.database.engine import Database
from postroom.identity import schedule_workflow_id
from postroom.schedules.keeping import Engine, Keeper
from postroom.schedules.models import Overlap
from postroom.schedules.recurrence import Recurrence
from postroom.schedules.service import Schedules
from postroom.timing import Timing
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.engine import free_port
from tests.fixtures.rows import change, rows
from tests.fixtures.schedules import scheduled, terms
from workflows.payloads import data_converter
from workflows.starters import run_starter
from workflows.timetable import aligner

TIMING = Timing()
HOUR = timedelta(hours=1)

SPECS = [
    ("0 9 * * mon", "Europe/Paris"),
    ("30 2 * * *", "Europe/Paris"),
    ("30 2 28-31 3 *", "Europe/Paris"),
    ("*/15 9-17 * * 1-5", "America/New_York"),
    ("0 0 1 * sun", "Asia/Kolkata"),
    ("15 23 31 * *", "UTC"),
    ("0 0 29 2 *", "UTC"),
    ("0 12 */10 6-8 6,7", "Australia/Lord_Howe"),
    ("5 * * * *", "America/St_Johns"),
    ("0 1 * 3 0", "America/New_York"),
    ("10 2 * 4,10 *", "Australia/Lord_Howe"),
    ("0,30 0 * * *", "America/Santiago"),
    ("0 0 * 4,9 *", "Africa/Cairo"),
]


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """A database that only this test uses: its keeper takes whatever it finds."""
    return fresh_database


def keeper(client: Client, database: Database, timing: Timing = TIMING) -> Keeper:
    return Keeper(database, Engine(aligner(client), run_starter(client)), timing)


def handle(client: Client, tenant: Tenant, schedule_id: UUID) -> ScheduleHandle:
    return client.get_schedule_handle(schedule_workflow_id(tenant.slug, schedule_id))


async def described(client: Client, tenant: Tenant, schedule_id: UUID) -> ScheduleDescription:
    found: ScheduleDescription = await handle(client, tenant, schedule_id).describe()
    return found


async def is_gone(client: Client, tenant: Tenant, schedule_id: UUID) -> bool:
    try:
        await described(client, tenant, schedule_id)
    except RPCError as error:
        return error.status == RPCStatusCode.NOT_FOUND
    return False


async def row_of(database: Database, schedule_id: UUID) -> dict[str, object]:
    return (await rows(database, "SELECT * FROM schedules WHERE id = %s", schedule_id))[0]


@pytest.mark.parametrize("spec", SPECS)
async def test_the_engine_comes_when_we_say(
    database: Database, tenants: Tenants, engine: Client, spec: tuple[str, str]
) -> None:
    cron, zone = spec
    one = await scheduled(database, tenants.alice, terms(recurrence={"cron": cron}, time_zone=zone))
    await keeper(engine, database).round()
    theirs = (await described(engine, tenants.alice, one)).info.next_action_times
    recurrence = Recurrence.of_cron(cron)
    ours = recurrence.runs(zone, datetime.now(UTC), len(theirs))
    assert len(theirs) == 10
    assert [one for one in theirs if not recurrence.is_repetition(zone, one)] == ours[: len(theirs)]


async def test_beginning_end_jitter_and_policy_reach_the_engine(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    asked = terms(
        start_at=start,
        end_at=start + 3 * HOUR,
        jitter=timedelta(minutes=10),
        overlap=Overlap.BUFFER_ONE,
        catch_up=HOUR,
    )
    one = await scheduled(database, tenants.alice, asked)
    await keeper(engine, database).round()
    found = await described(engine, tenants.alice, one)
    ours = asked.timetable.runs(datetime.now(UTC), 10)
    assert len(found.info.next_action_times) == len(ours) == 3
    for theirs, meant in zip(found.info.next_action_times, ours, strict=True):
        assert timedelta() <= theirs - meant <= timedelta(minutes=10)
    assert (found.schedule.policy.overlap.name, found.schedule.policy.catchup_window) == ("BUFFER_ONE", HOUR)


async def test_a_change_a_pause_and_a_deletion_follow(database: Database, tenants: Tenants, engine: Client) -> None:
    alice, schedules = tenants.alice, Schedules(database)
    one = await scheduled(database, alice, terms())
    await keeper(engine, database).round()
    assert not (await row_of(database, one))["owed"]
    await schedules.replace(alice.id, one, terms(recurrence={"cron": "0 0 1 1 *"}))
    await schedules.pause(alice.id, one)
    assert (await row_of(database, one))["owed"]
    await keeper(engine, database).round()
    found = await described(engine, alice, one)
    assert found.schedule.state.paused
    assert {(moment.month, moment.day) for moment in found.info.next_action_times} == {(1, 1)}
    await schedules.resume(alice.id, one)
    await keeper(engine, database).round()
    assert not (await described(engine, alice, one)).schedule.state.paused
    await schedules.remove(alice.id, one)
    await keeper(engine, database).round()
    assert await is_gone(engine, alice, one)
    assert await rows(database, "SELECT * FROM schedules WHERE id = %s", one) == []


async def test_what_an_operator_deleted_or_paused_is_repaired(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    alice = tenants.alice
    one = await scheduled(database, alice, terms())
    await keeper(engine, database).round()
    assert await keeper(engine, database).round() == 0
    theirs = handle(engine, alice, one)
    for interfere in (theirs.delete, theirs.pause):
        await interfere()
        await change(database, "UPDATE schedules SET next_poke_at = now() WHERE id = %s", one)
        await keeper(engine, database).round()
        assert not (await described(engine, alice, one)).schedule.state.paused


async def test_an_end_that_has_passed_leaves_nothing_in_the_engine(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    alice = tenants.alice
    one = await scheduled(database, alice, terms(end_at=datetime.now(UTC) + timedelta(days=1)))
    await keeper(engine, database).round()
    await change(database, "UPDATE schedules SET end_at = now() - interval '2 h', next_poke_at = now()")
    await keeper(engine, database).round()
    assert (await row_of(database, one))["state"] == "ended"
    assert await is_gone(engine, alice, one)
    again = await Schedules(database).replace(alice.id, one, terms())
    assert again.state == "active"
    await keeper(engine, database).round()
    assert not await is_gone(engine, alice, one)


async def test_two_keepers_make_one_schedule(database: Database, tenants: Tenants, engine: Client) -> None:
    made = [await scheduled(database, tenants.alice, terms()) for _ in range(25)]
    for _ in range(2):
        await asyncio.gather(*(keeper(engine, database).round() for _ in range(2)))
    assert [one for one in made if await is_gone(engine, tenants.alice, one)] == []
    assert {row["owed"] for row in await rows(database, "SELECT owed FROM schedules")} == {False}


async def test_while_the_engine_is_away_a_change_stays_owed(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    nowhere = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True, data_converter=data_converter)
    one = await scheduled(database, tenants.alice, terms())
    await keeper(nowhere, database).round()
    assert (await row_of(database, one))["owed"]
    assert await keeper(engine, database).round() == 0  # not before the back-off is over
    await change(database, "UPDATE schedules SET next_poke_at = now()")
    await keeper(engine, database).round()
    assert not await is_gone(engine, tenants.alice, one)


async def test_a_zone_the_engine_does_not_know_is_said(database: Database, tenants: Tenants, engine: Client) -> None:
    one = await scheduled(database, tenants.alice, terms())
    await change(
        database, "UPDATE schedules SET time_zone = 'US/Pacific-New', recurrence = '{\"cron\": \"* * * * *\"}'"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("workflows.timetable.calendars", lambda *_: [])
        await keeper(engine, database).round()
    assert (await row_of(database, one))["refused"]


async def test_two_tenants_schedules_have_names_of_their_own(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    one, other = [await scheduled(database, who, terms()) for who in (tenants.alice, tenants.decoy)]
    await keeper(engine, database).round()
    assert await is_gone(engine, tenants.alice, other)
    assert (await described(engine, tenants.decoy, other)).id == schedule_workflow_id(tenants.decoy.slug, other)
    assert not await is_gone(engine, tenants.alice, one)
