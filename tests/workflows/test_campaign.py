"""The workflow of a task on a real server, with mail to the fault sink."""

from temporalio.client import Client

from postroom.database.engine import Database
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.engine import working
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import Sale, by_state, launched, open_mailroom, people, task_row
from tests.fixtures.waiting import until

TIMING = Timing()
PATIENCE = 60.0


async def test_a_task_is_started_by_its_poker_and_ends_with_everybody_accounted_for(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    await people(database, tenants.alice.id, 730)
    task = await launched(database, Sale(tenants.alice.id))

    async def over() -> bool:
        return bool((await task_row(database, task))["ended_at"])

    async with Sink.open() as sink, open_mailroom(database, sink, TIMING) as mailroom:
        async with working(engine, mailroom.outfit) as house:
            assert await house.tasks.round() == 1
            await until(over, PATIENCE)
            handle = engine.get_workflow_handle(f"campaign/{tenants.alice.slug}/task_{task.hex}")
            assert await handle.result() == {"accepted": 730}
            history = await handle.fetch_history()
        assert len(sink.copies()) == len(sink.accepted) == 730
    row = await task_row(database, task)
    assert (row["state"], row["totals"], row["owed"], row["wake_by"]) == (
        "completed",
        {"accepted": 730},
        False,
        None,
    )
    assert await by_state(database, task) == {"accepted": 730}
    assert len(history.events) <= 5 * 8 + 40
    said = history.to_json()
    for secret in ("user000001", "user1@", "News for"):
        assert secret not in said
