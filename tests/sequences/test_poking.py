"""Starting many at once: a few at a time, so that they stand in nobody's way."""

import pytest
from temporalio.client import Client

from postroom.database.engine import Database
from postroom.sequences import poking
from postroom.sequences.enrolling import Enrolments, Newcomer
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.rows import rows
from tests.fixtures.schedules import recurring
from tests.fixtures.sequences import identity, made, titles
from tests.fixtures.waiting import until
from workflows.starters import enrolment_starter

TIMING = Timing()
PATIENCE = 60


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """A database that only this test uses: its poker takes whatever it finds."""
    return fresh_database


async def test_a_crowd_is_started_a_few_at_a_time(
    database: Database, tenants: Tenants, engine: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poking, "WINDOW", 25)
    alice = tenants.alice
    people = [Newcomer(f"p{number}", variables={"name": "x"}) for number in range(60)]
    await Enrolments(database).enrol(identity(alice), await made(database, alice), people, None)
    crowd = poking.Poker(database, enrolment_starter(engine), TIMING)
    assert [await crowd.round() for _ in range(3)] == [20, 5, 0]  # nobody looks: the window is full
    async with recurring(engine, database, TIMING):

        async def all_welcomed() -> bool:
            await crowd.round()
            [sent] = await rows(database, "SELECT count(*) FROM enrolment_steps WHERE state = 'sent'")
            return bool(sent["count"] == 60)

        await until(all_welcomed, PATIENCE)
    assert len(await titles(database, alice)) == 60
