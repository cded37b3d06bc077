"""People are erased while files bring them in and audiences are frozen: nobody stays, and nobody waits in a ring."""

import asyncio
import logging

import pytest

from postroom.campaigns.sending.freezing import Freezer
from postroom.contact_files.models import FileState
from postroom.contracts.campaigns import LookAtTask
from postroom.database.engine import Database
from postroom.privacy.walking import Kind
from tests.fixtures.contact_files import FileDesk
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.tasks import Sale, exact, launched, people, task_row
from tests.privacy.conftest import Office

PEOPLE, ERASED = 120, 8
AGAIN = "UPDATE person_jobs SET next_at = now() WHERE tenant_id = %s AND state = 'open'"
LEFT = "SELECT job_id FROM person_jobs WHERE tenant_id = %s AND state = 'open'"
NAMED = """
SELECT user_id FROM contacts WHERE tenant_id = %(tenant)s AND user_id = ANY(%(users)s)
UNION ALL SELECT user_id FROM contact_tags WHERE tenant_id = %(tenant)s AND user_id = ANY(%(users)s)
UNION ALL SELECT user_id FROM task_recipients WHERE tenant_id = %(tenant)s AND user_id = ANY(%(users)s)
"""


async def test_nobody_comes_back_while_files_and_audiences_are_written(
    office: Office, database: Database, tenants: Tenants, caplog: pytest.LogCaptureFixture
) -> None:
    alice, desk = tenants.alice, FileDesk(database, tenants.alice)
    await people(database, alice.id, PEOPLE)
    names = [f"user{number:06}" for number in range(1, PEOPLE + 1)]
    gone = names[:: PEOPLE // ERASED]
    text = "user_id,email,tags,language\n" + "".join(f"{one},{one}@shop.de,vip,fr\n" for one in names)
    files = [await desk.take(text) for _ in range(2)]
    tasks = [await launched(database, Sale(alice.id)) for _ in range(3)]
    freezer = Freezer(database, 1)  # many chunks
    for one in gone:
        await office.ask(alice, Kind.ERASURE, one)

    async def erase() -> None:
        while await rows(database, LEFT, alice.id):
            await change(database, AGAIN, alice.id)
            await office.rounds.round()

    with caplog.at_level(logging.WARNING):
        await asyncio.gather(
            erase(),
            *(desk.written(job) for job in files),
            *(freezer.freeze(LookAtTask(alice.id, one)) for one in tasks),
        )
    assert [record.message for record in caplog.records if "did not succeed" in record.message] == []
    async with database.system_transaction() as connection:
        found = await connection.execute(NAMED, {"tenant": alice.id, "users": gone})
        assert await found.fetchall() == []
    for job in files:
        counts = await desk.counts(job)
        assert sum(counts.values()) == PEOPLE
        [row] = await rows(database, "SELECT state FROM contact_files WHERE job_id = %s", job)
        assert row["state"] == FileState.DONE
    for task_id in tasks:
        task = await task_row(database, task_id)
        assert PEOPLE - ERASED <= task["audience"] <= PEOPLE
        assert sum((await exact(database, alice.id, task_id)).values()) == task["audience"]
