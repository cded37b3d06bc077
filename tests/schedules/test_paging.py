"""An audience is written page by page, each person once, whatever happens in the middle."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from postroom.contracts.recurring import Firing, RunStanding
from postroom.database.engine import Database
from postroom.jobs.control import JobControl
from postroom.jobs.reading import JobReading
from postroom.rates import Rate
from postroom.schedules.opening import open_run
from postroom.schedules.paging import Pager
from postroom.schedules.service import Schedules
from postroom.schedules.striking import strike
from postroom.schedules.terms import Audience
from postroom.timing import Timing
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.schedules import contacts, runs_of, scheduled, terms, told

TIMING = Timing()
PAGER = Pager(TIMING, 10)


class Broken(Exception):
    """Something stops in the middle of a page."""


async def opened(database: Database, tenant: Tenant, schedule_id: UUID, fire_at: datetime | None = None) -> UUID | None:
    firing = Firing(tenant.id, schedule_id, fire_at=fire_at or datetime.now(UTC))
    async with database.tenant_transaction(tenant.id) as connection:
        return await open_run(connection, firing, TIMING)


async def begun(database: Database, tenant: Tenant, schedule_id: UUID) -> UUID:
    run_id = await opened(database, tenant, schedule_id)
    assert run_id is not None
    return run_id


async def page(database: Database, tenant: Tenant, run_id: UUID) -> RunStanding:
    async with database.tenant_transaction(tenant.id) as connection:
        return await PAGER.write_next(connection, run_id)


async def broken_off(database: Database, tenant: Tenant, run_id: UUID) -> None:
    async with database.tenant_transaction(tenant.id) as connection:
        await PAGER.write_next(connection, run_id)
        raise Broken


async def to_the_end(database: Database, tenant: Tenant, run_id: UUID) -> RunStanding:
    while (standing := await page(database, tenant, run_id)).state == "running":
        pass
    return standing


async def test_everybody_is_told_once_and_the_job_counts_them(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    await contacts(database, alice, 25)
    await contacts(database, tenants.decoy, 3)
    run_id = await begun(database, alice, await scheduled(database, alice, terms()))
    first = await page(database, alice, run_id)
    assert first == RunStanding("running", 10, 25)
    assert await to_the_end(database, alice, run_id) == RunStanding("completed", 25, 25)
    assert await told(database, alice) == [f"p{n:05}" for n in range(1, 26)]
    assert await told(database, tenants.decoy) == []
    [job] = (await JobReading(database).page(alice.id, (None, 10))).items
    assert (job.job.total, sum(job.counts.values()), job.job.kind) == (25, 25, "batch")


async def test_a_firing_that_comes_twice_is_one_run(database: Database, tenants: Tenants) -> None:
    alice, moment = tenants.alice, datetime.now(UTC)
    one = await scheduled(database, alice, terms())
    assert await opened(database, alice, one, moment) == await opened(database, alice, one, moment)
    assert len(await runs_of(database, one)) == 1


async def test_a_page_that_breaks_off_is_written_again(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    await contacts(database, alice, 25)
    run_id = await begun(database, alice, await scheduled(database, alice, terms()))
    await page(database, alice, run_id)
    with pytest.raises(Broken):
        await broken_off(database, alice, run_id)
    assert len(await told(database, alice)) == 10
    assert (await to_the_end(database, alice, run_id)).inserted == 25
    assert await told(database, alice) == [f"p{n:05}" for n in range(1, 26)]


async def test_two_that_page_the_same_run_take_turns(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    await contacts(database, alice, 95)
    run_id = await begun(database, alice, await scheduled(database, alice, terms()))
    ends = await asyncio.gather(*(to_the_end(database, alice, run_id) for _ in range(3)))
    assert set(ends) == {RunStanding("completed", 95, 95)}
    assert await told(database, alice) == [f"p{n:05}" for n in range(1, 96)]


async def test_named_people_need_no_contact(database: Database, tenants: Tenants) -> None:
    alice, names = tenants.alice, [f"Ü{n}" for n in range(14)] + ["zoe", "Ada", "ada", "Ada"]
    run_id = await begun(database, alice, await scheduled(database, alice, terms(Audience(names))))
    assert (await to_the_end(database, alice, run_id)).total == 17
    assert sorted(map(str, await told(database, alice))) == sorted(set(names))


async def test_attributes_and_language_choose(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    await contacts(database, alice, 30)
    pro = """UPDATE contacts SET attributes = '{"plan": "pro", "seats": 3}', language = 'fr' WHERE tenant_id = %s
             AND user_id IN ('p00007', 'p00028', 'p00029')"""
    await change(database, pro, alice.id)
    await change(database, "UPDATE contacts SET language = 'de' WHERE user_id = 'p00029' AND tenant_id = %s", alice.id)
    chosen = Audience(attributes={"plan": "pro", "seats": 3}, language="FR")
    run_id = await begun(database, alice, await scheduled(database, alice, terms(chosen)))
    assert (await page(database, alice, run_id)) == RunStanding("running", 1, 2)
    assert (await to_the_end(database, alice, run_id)) == RunStanding("completed", 2, 2)
    assert await told(database, alice) == ["p00007", "p00028"]


async def test_nobody_is_no_failure(database: Database, tenants: Tenants) -> None:
    one = await scheduled(database, tenants.alice, terms())
    run_id = await begun(database, tenants.alice, one)
    assert await to_the_end(database, tenants.alice, run_id) == RunStanding("completed", 0, 0)
    [run] = await runs_of(database, one)
    assert (run["job_id"], run["notice"]) == (None, None)


@pytest.mark.parametrize("action", ["pause", "delete", "cancel"])
async def test_a_run_that_is_stopped_stops_at_its_next_page(database: Database, tenants: Tenants, action: str) -> None:
    alice = tenants.alice
    await contacts(database, alice, 40)
    one = await scheduled(database, alice, terms())
    run_id = await begun(database, alice, one)
    await page(database, alice, run_id)
    [job] = (await JobReading(database).page(alice.id, (None, 10))).items
    if action == "pause":
        await Schedules(database).pause(alice.id, one)
    elif action == "delete":
        await Schedules(database).remove(alice.id, one)
    else:
        await JobControl(database, TIMING, Rate(100)).cancel(alice.id, job.job.id)
    assert await to_the_end(database, alice, run_id) == RunStanding("cancelled", 10, 40)
    [run] = await runs_of(database, one)
    assert run["reason"] == {"pause": "paused", "delete": "deleted", "cancel": "job_cancelled"}[action]
    standing = await JobReading(database).standing(alice.id, job.job.id)
    assert (len(await told(database, alice)), standing.job.total, sum(standing.counts.values())) == (10, 10, 10)


async def test_a_run_goes_on_as_it_began_when_its_schedule_changes(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    await contacts(database, alice, 25)
    one = await scheduled(database, alice, terms())
    run_id = await begun(database, alice, one)
    await page(database, alice, run_id)
    await Schedules(database).replace(alice.id, one, terms(Audience(["zoe"])))
    assert (await to_the_end(database, alice, run_id)).inserted == 25
    assert "zoe" not in await told(database, alice)


async def test_a_time_that_was_missed_for_too_long_is_skipped(database: Database, tenants: Tenants) -> None:
    one = await scheduled(database, tenants.alice, terms(catch_up=timedelta(hours=2)))
    for late in (timedelta(hours=1), timedelta(hours=3)):
        await opened(database, tenants.alice, one, datetime.now(UTC) - late)
    assert [(run["state"], run["reason"]) for run in await runs_of(database, one)] == [
        ("running", None),
        ("skipped", "missed"),
    ]


async def test_the_second_pass_of_a_repeated_hour_is_skipped(database: Database, tenants: Tenants) -> None:
    night = terms(recurrence={"cron": "30 2 * * *"}, time_zone="Europe/Paris")
    one = await scheduled(database, tenants.alice, night)
    run_id = await begun(database, tenants.alice, one)
    await change(database, "UPDATE schedules SET catch_up = interval '100 years' WHERE id = %s", one)
    for hour in (0, 1):
        await opened(database, tenants.alice, one, datetime(2025, 10, 26, hour, 30, tzinfo=UTC))
    found = await runs_of(database, one)
    assert [(run["state"], run["reason"]) for run in found if run["id"] != run_id] == [
        ("running", None),
        ("skipped", "repeated_hour"),
    ]


async def test_a_zone_that_nobody_knows_any_more_does_not_end_a_run(database: Database, tenants: Tenants) -> None:
    one = await scheduled(database, tenants.alice, terms())
    await change(database, "UPDATE schedules SET time_zone = 'Mars/Olympus' WHERE id = %s", one)
    run_id = await begun(database, tenants.alice, one)
    assert (await to_the_end(database, tenants.alice, run_id)).state == "completed"


async def test_what_fires_after_a_pause_or_a_deletion_sends_nothing(database: Database, tenants: Tenants) -> None:
    alice = tenants.alice
    one = await scheduled(database, alice, terms())
    await Schedules(database).pause(alice.id, one)
    assert (await page(database, alice, await begun(database, alice, one))).state == "skipped"
    await Schedules(database).remove(alice.id, one)
    assert await opened(database, alice, one) is None


async def test_what_fired_before_a_pause_was_over_is_not_made_up_for(database: Database, tenants: Tenants) -> None:
    alice, before = tenants.alice, datetime.now(UTC) - timedelta(seconds=1)
    one = await scheduled(database, alice, terms())
    await Schedules(database).resume(alice.id, one)  # it was not paused
    early = await opened(database, alice, one, before - timedelta(minutes=1))
    await Schedules(database).pause(alice.id, one)
    await Schedules(database).resume(alice.id, one)
    await opened(database, alice, one, before)
    await opened(database, alice, one, datetime.now(UTC) + timedelta(seconds=1))
    found = [(run["id"] == early, run["state"], run["reason"]) for run in await runs_of(database, one)]
    assert found == [(True, "cancelled", "paused"), (False, "skipped", "paused"), (False, "running", None)]


async def test_another_tenants_run_is_nobodys(database: Database, tenants: Tenants) -> None:
    one = await scheduled(database, tenants.decoy, terms())
    run_id = await begun(database, tenants.decoy, one)
    assert await opened(database, tenants.alice, one) is None
    assert (await page(database, tenants.alice, run_id)).state == "gone"


async def test_whoever_is_erased_is_on_no_list_any_more(database: Database, tenants: Tenants) -> None:
    alice, names = tenants.alice, [f"p{n:02}" for n in range(15)]
    one = await scheduled(database, alice, terms(Audience(names)))
    other = await scheduled(database, tenants.decoy, terms(Audience(names)))
    run_id = await begun(database, alice, one)
    await page(database, alice, run_id)
    async with database.system_transaction() as connection:
        await strike(connection, {"tenant_id": alice.id, "user_id": "p12"})
    assert (await to_the_end(database, alice, run_id)).inserted == 14
    assert "p12" not in await told(database, alice)
    statement = "SELECT id, users FROM schedules WHERE id = ANY(%s)"
    assert {row["id"]: row["users"] for row in await rows(database, statement, [one, other])} == {one: 14, other: 15}
