"""Tasks steered while they are sent, through real SMTP: what was asked for is what becomes of everybody."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from postroom.campaigns.transitions import Action
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Database
from postroom.errors import Conflict
from postroom.timing import Timing
from tests.campaigns.ground import letter
from tests.campaigns.test_transitions import TERMS, UNREVIEWED, Steering
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import Mailroom, by_state, open_mailroom, people, recipients

GROWN = "UPDATE contacts SET addresses = jsonb_build_object('email', %s::text) WHERE tenant_id = %s AND user_id = %s"


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink.open() as opened:
        yield opened


@pytest.fixture
async def mailroom(database: Database, sink: Sink) -> AsyncIterator[Mailroom]:
    async with open_mailroom(database, sink, Timing()) as opened:
        yield opened


@pytest.fixture
async def task(database: Database, tenants: Tenants) -> Steering:
    """A draft for 120 people, which needs no review."""
    await letter(database, tenants.alice)
    await people(database, tenants.alice.id, 120)
    await change(database, UNREVIEWED, tenants.alice.id)
    made = Steering(database, tenants.alice)
    await made.draft()
    draft = await made.now()
    await made.drafts.replace(made.who, draft.id, replace(TERMS, message_class="transactional"), draft.version)
    return made


async def test_a_launched_task_reaches_everybody_once(task: Steering, mailroom: Mailroom, sink: Sink) -> None:
    await task.act(Action.LAUNCH)
    assert (await mailroom.run(task.tenant.id, task.task_id)).closed
    done = await task.now()
    assert (done.state, done.audience, done.totals) == (TaskState.COMPLETED, 120, {"accepted": 120})
    assert set(Counter(one.to for one in sink.accepted).values()) == {1}


async def test_nothing_leaves_while_it_is_paused_and_all_does_afterwards(
    task: Steering, mailroom: Mailroom, sink: Sink
) -> None:
    await task.act(Action.LAUNCH)
    await mailroom.step(task.tenant.id, task.task_id)  # freezes
    await task.act(Action.PAUSE)
    plan = await mailroom.run(task.tenant.id, task.task_id)
    assert (plan.closed, plan.status, len(sink.accepted)) == (False, "paused", 0)
    skipped = await task.recipients.skip(task.who, task.task_id, ["user000007"])
    assert skipped.outcomes == {"user000007": "skipped"}
    await task.act(Action.RESUME)
    assert (await mailroom.run(task.tenant.id, task.task_id)).closed
    assert (await task.now()).totals == {"accepted": 119, "skipped": 1}
    assert "user7@example.org" not in {one.to for one in sink.accepted}


async def test_what_is_cancelled_on_its_way_is_accounted_for(task: Steering, mailroom: Mailroom, sink: Sink) -> None:
    await task.act(Action.LAUNCH)
    await mailroom.step(task.tenant.id, task.task_id)
    await mailroom.step(task.tenant.id, task.task_id, lambda: len(sink.accepted) > 0)
    gone = len(sink.accepted)
    await task.act(Action.CANCEL)
    assert (await task.now()).reason == "cancelling"
    assert (await mailroom.run(task.tenant.id, task.task_id)).closed
    done = await task.now()
    assert (done.state, done.totals) == (TaskState.CANCELLED, {"accepted": gone, "cancelled": 120 - gone})
    assert (len(sink.accepted), 0 < gone < 120) == (gone, True)
    with pytest.raises(Conflict, match="cancelled"):
        await task.act(Action.RETRY)


async def test_cancelled_before_the_freeze_there_is_nothing_to_do(task: Steering, mailroom: Mailroom) -> None:
    await task.act(Action.LAUNCH)
    await task.act(Action.CANCEL)
    assert (await mailroom.run(task.tenant.id, task.task_id)).closed
    assert (await task.now()).state is TaskState.CANCELLED
    assert await recipients(task.database, task.task_id) == []


async def test_what_failed_is_taken_up_again_and_ends_well(task: Steering, mailroom: Mailroom, sink: Sink) -> None:
    for number in (3, 90):
        user = f"user{number:06}"
        await change(task.database, GROWN, f"permfail-rcpt+{number}@example.org", task.tenant.id, user)
    await task.act(Action.LAUNCH)
    assert (await mailroom.run(task.tenant.id, task.task_id)).closed
    first = await task.now()
    assert (first.state, first.totals) == (TaskState.COMPLETED_WITH_FAILURES, {"accepted": 118, "rejected": 2})
    await change(task.database, GROWN, "user3@example.org", task.tenant.id, "user000003")
    await task.act(Action.RETRY)
    assert (await task.now()).totals is None
    assert (await mailroom.run(task.tenant.id, task.task_id)).closed
    again = await task.now()
    assert (again.epoch, sum((again.totals or {}).values())) == (2, 120)
    assert await by_state(task.database, task.task_id) == again.totals
    assert len({one.to for one in sink.accepted}) == len(sink.accepted)
