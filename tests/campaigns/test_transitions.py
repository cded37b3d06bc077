"""The table of states: every sequence of actions, and every storm of them, leaves a task where the table says."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from postroom.campaigns.models import Task
from postroom.campaigns.planning.approval import Approvals, Seen
from postroom.campaigns.planning.checking import LaunchChecks
from postroom.campaigns.planning.drafting import Drafts
from postroom.campaigns.planning.launching import Launches
from postroom.campaigns.planning.plan import Pace
from postroom.campaigns.planning.terms import Terms
from postroom.campaigns.steering.control import Signal, TaskControl
from postroom.campaigns.steering.correcting import Corrections, Failures
from postroom.campaigns.transitions import ALLOWED, Action, allows
from postroom.contracts.vocabulary import FINAL_TASK_STATES, TaskState
from postroom.database.engine import Database
from postroom.errors import Conflict
from postroom.identity import TASK, new_id, public_id
from postroom.tenants.gate import Identity
from postroom.timing import Timing
from tests.campaigns.ground import Recipient, frozen, letter, people
from tests.fixtures.database import Tenant, Tenants, make_tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.tasks import task_row

TERMS = Terms(name="Mail", channel="email", rule={"everyone": True}, content={"template": "sale"})
AUDIENCE: Sequence[Recipient] = [
    ("p0", "accepted", "accepted"),
    ("p1", "rejected", "mailbox_full"),
    ("p2", "pending", None),
]
CAMPAIGN = "INSERT INTO campaigns (id, tenant_id, name, api_key_id) VALUES (%s, %s, 'c', %s)"
UNREVIEWED = """INSERT INTO tenant_settings VALUES (%s, 'review', '{"required": false}')"""
COMPLETED = "UPDATE campaign_tasks SET state = 'completed', ended_at = now() WHERE id = %s AND state = 'sending'"
CANCELLED = "UPDATE campaign_tasks SET state = 'cancelled', reason = NULL WHERE id = %s"
# What the table promises: where a task may be found after each action that was allowed.
LEFT_IN = {
    Action.CHANGE: {TaskState.DRAFT},
    Action.SUBMIT: {TaskState.IN_REVIEW},
    Action.APPROVE: {TaskState.IN_REVIEW},
    Action.REJECT: {TaskState.DRAFT},
    Action.WITHDRAW: {TaskState.DRAFT},
    Action.LAUNCH: {TaskState.SCHEDULED},
    Action.PAUSE: {TaskState.PAUSED},
    Action.RESUME: {TaskState.SCHEDULED, TaskState.SENDING},
    Action.CANCEL: {TaskState.CANCELLED, TaskState.PAUSED},
    Action.PACE: set(TaskState) - FINAL_TASK_STATES,
    Action.SKIP: {TaskState.SENDING, TaskState.PAUSED},
    Action.RETRY: {TaskState.SENDING, TaskState.PAUSED, *FINAL_TASK_STATES},
}
BECAUSE = {"approval_required", "content_changed"}  # the state allows it, something else does not
Act = Callable[[], Awaitable[object]]


@dataclass
class Steering:
    """Everything that can be done with one task, by one operator and one reviewer."""

    database: Database
    tenant: Tenant
    who: Identity = field(init=False)
    other: Identity = field(init=False)
    task_id: UUID = field(default_factory=new_id)

    def __post_init__(self) -> None:
        self.who, self.other = (Identity(self.tenant.id, self.tenant.slug, new_id(), frozenset()) for _ in range(2))
        self.drafts = Drafts(self.database, Timing())
        self.approvals = Approvals(self.database, LaunchChecks())
        self.launches = Launches(self.database, self.drafts, self.approvals)
        self.control, self.recipients = TaskControl(self.database), Corrections(self.database)

    async def draft(self) -> None:
        campaign = new_id()
        await change(self.database, CAMPAIGN, campaign, self.tenant.id, self.who.key_id)
        made, _ = await self.drafts.add(self.who, campaign, TERMS, None)
        self.task_id = made.id

    async def now(self) -> Task:
        return await self.drafts.get(self.tenant.id, self.task_id)

    async def freeze(self) -> None:
        """Do what the workflow does at its time, unless it has or must not."""
        task = await self.now()
        if task.state is TaskState.SCHEDULED and task.frozen_at is None:
            await frozen(self.database, self.tenant, public_id(TASK, self.task_id), AUDIENCE)

    async def complete(self) -> None:
        """End a task that sends, as the workflow would."""
        await change(self.database, COMPLETED, self.task_id)

    async def act(self, action: Action) -> None:
        one, who = self.task_id, self.who
        task = await self.now()
        seen = Seen(task.content_hash or b"", task.counted or 0)
        acts: dict[Action, Act] = {
            Action.CHANGE: lambda: self.drafts.replace(who, one, TERMS, task.version),
            Action.SUBMIT: lambda: self.approvals.submit(who, one),
            Action.APPROVE: lambda: self.approvals.approve(self.other, one, seen),
            Action.REJECT: lambda: self.approvals.reject(self.other, one, None),
            Action.WITHDRAW: lambda: self.approvals.withdraw(who, one),
            Action.LAUNCH: lambda: self.launches.launch(who, one, None),
            Action.SKIP: lambda: self.recipients.skip(who, one, ["p2"]),
            Action.RETRY: lambda: self.recipients.retry(who, one, Failures()),
        }
        signal = Signal(action, Pace(per_minute=9)) if action is Action.PACE else Signal(action)
        await acts.get(action, lambda: self.control.signal(who, one, signal))()


@pytest.fixture
async def steering(database: Database, tenants: Tenants) -> Steering:
    """One task of the acting tenant, whose template is approved."""
    return await steered(database, tenants)


async def steered(database: Database, tenants: Tenants) -> Steering:
    await letter(database, tenants.alice)
    await people(database, tenants.alice, 3)
    made = Steering(database, tenants.alice)
    await made.draft()
    return made


# Written once more, by state instead of by action: what is changed here is meant.
DECIDED = {
    TaskState.DRAFT: "change delete launch pace submit",
    TaskState.IN_REVIEW: "approve launch pace reject submit withdraw",
    TaskState.SCHEDULED: "cancel pace pause",
    TaskState.SENDING: "cancel pace pause retry skip",
    TaskState.PAUSED: "cancel pace pause resume retry skip",
    TaskState.COMPLETED: "retry",
    TaskState.COMPLETED_WITH_FAILURES: "retry",
    TaskState.FAILED: "",
    TaskState.CANCELLED: "",
}


@pytest.mark.parametrize("state", TaskState)
def test_each_state_allows_what_was_decided(state: TaskState) -> None:
    assert sorted(action for action in Action if state in ALLOWED[action]) == DECIDED[state].split()


UNDER_WAY = [Action.SUBMIT, Action.APPROVE, Action.LAUNCH]
STARTS: list[list[Action | str]] = [[], [*UNDER_WAY], [*UNDER_WAY, "freeze"], [*UNDER_WAY, "freeze", "complete"]]
STEPS = st.builds(
    lambda start, rest: [*start, *rest],
    st.sampled_from(STARTS),
    st.lists(st.sampled_from([*LEFT_IN, "freeze", "complete"]), min_size=1, max_size=8),
)


@hypothesis_settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_every_sequence_of_actions_follows_the_table(database: Database, steps: list[Action | str]) -> None:
    steering = await steered(database, await make_tenants(database))
    for step in steps:
        before = await steering.now()
        if not isinstance(step, Action):
            await (steering.freeze() if step == "freeze" else steering.complete())
            continue
        conflict, after = await acted(steering, step)
        if conflict is None:
            assert allows(before, step), (before.state, step)
            assert after.state in LEFT_IN[step], (before.state, step, after.state)
            assert_sound(after)
        else:
            assert after == before
            assert conflict in BECAUSE or not allows(before, step), (before.state, step, conflict)


async def acted(steering: Steering, action: Action) -> tuple[str | None, Task]:
    """Try something; returns the code of the refusal, and what the task has come to."""
    try:
        await steering.act(action)
    except Conflict as conflict:
        return conflict.code, await steering.now()
    return None, await steering.now()


def assert_sound(task: Task) -> None:
    """What holds of every task, whatever was done with it."""
    if task.state in {TaskState.SCHEDULED, TaskState.SENDING}:
        assert not task.cancel_requested
        assert (task.pinned is not None, task.start_at is not None, task.reason) == (True, True, None)
    if task.state is TaskState.SCHEDULED:
        assert task.frozen_at is None
    if task.state is TaskState.SENDING:
        assert task.frozen_at is not None
    if task.state is TaskState.PAUSED:
        assert task.reason == ("cancelling" if task.cancel_requested else "requested")
    if task.state is TaskState.DRAFT:
        assert (task.approved_by, task.pinned, task.content_hash) == (None, None, None)


@pytest.mark.parametrize("seed", range(4))
async def test_a_storm_of_signals_leaves_a_state_of_the_table(steering: Steering, seed: int) -> None:
    await change(steering.database, UNREVIEWED, steering.tenant.id)
    await steering.act(Action.LAUNCH)
    if seed % 2:
        await steering.freeze()
    draw = random.Random(seed)  # noqa: S311 - a storm, not a secret
    storm = [draw.choice([Action.PAUSE, Action.RESUME, Action.PACE, Action.SKIP, Action.RETRY]) for _ in range(60)]
    storm.insert(draw.randrange(60), Action.CANCEL)
    results = await asyncio.gather(*(steering.act(one) for one in storm), return_exceptions=True)
    assert {type(one) for one in results} <= {type(None), Conflict}, results
    after = await steering.now()
    assert after.cancel_requested
    assert after.state is (TaskState.PAUSED if seed % 2 else TaskState.CANCELLED)
    assert_sound(after)
    assert (await task_row(steering.database, steering.task_id))["owed"]
    await assert_told(steering)


async def assert_told(steering: Steering) -> None:
    """The record tells the way: what was paused and resumed alternates, and nothing follows the cancel."""
    statement = "SELECT kind FROM task_events WHERE task_id = %s AND kind <> 'pace_changed' ORDER BY id"
    kinds = [row["kind"] for row in await rows(steering.database, statement, steering.task_id)]
    assert kinds[:2] == ["created", "launched"]
    assert kinds[-1] in {"cancelled", "cancel_requested"}
    turns = [kind for kind in kinds if kind in {"paused", "resumed"}]
    assert turns == [("paused", "resumed")[number % 2] for number in range(len(turns))]


async def test_what_was_cancelled_is_never_taken_up_again(steering: Steering) -> None:
    await change(steering.database, UNREVIEWED, steering.tenant.id)
    await steering.act(Action.LAUNCH)
    await steering.freeze()
    await steering.act(Action.CANCEL)
    await change(steering.database, CANCELLED, steering.task_id)
    for action in LEFT_IN:
        with pytest.raises(Conflict) as refused:
            await steering.act(action)
        assert refused.value.code == "task_cancelled"
