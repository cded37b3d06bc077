"""Whoever guards the senders is asked at every submission and launch, and tells their part of what is wrong."""

from dataclasses import replace

import pytest

from postroom.campaigns.models import Task
from postroom.campaigns.planning.approval import Approvals
from postroom.campaigns.planning.checking import LaunchChecks
from postroom.campaigns.planning.launching import Launches
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, Invalid
from postroom.tenants.gate import Identity
from tests.campaigns.ground import letter
from tests.campaigns.test_transitions import TERMS, UNREVIEWED, Steering
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change

FROM = {"from": "Shop <news@shop.de>"}


class Guard:
    """Somebody who lets nothing pass, and remembers who asked for what."""

    def __init__(self, refusal: Invalid | Conflict) -> None:
        self.refusal = refusal
        self.asked = list[tuple[Identity, str]]()

    async def __call__(self, connection: Connection, who: Identity, task: Task) -> None:
        assert not connection.closed
        self.asked.append((who, task.sender["from"]))
        raise self.refusal


@pytest.fixture
async def task(database: Database, tenants: Tenants) -> Steering:
    await letter(database, tenants.alice)
    await change(database, UNREVIEWED, tenants.alice.id)
    made = Steering(database, tenants.alice)
    await made.draft()
    await made.drafts.replace(made.who, made.task_id, replace(TERMS, sender=FROM), 1)
    return made


def guarded(task: Steering, guard: Guard) -> Launches:
    return Launches(task.database, task.drafts, Approvals(task.database, LaunchChecks([guard])))


async def test_a_guard_tells_beside_all_else_that_is_wrong(task: Steering) -> None:
    guard = Guard(Invalid.at("/sender/services/0", "sender_service_not_found", "There is no such service."))
    await change(task.database, "UPDATE template_versions SET state = 'retired' WHERE tenant_id = %s", task.tenant.id)
    for ask in (
        lambda: guarded(task, guard).launch(task.who, task.task_id, None),
        lambda: guarded(task, guard).approvals.submit(task.who, task.task_id),
    ):
        with pytest.raises(Invalid) as refused:
            await ask()
        assert [one.pointer for one in refused.value.errors] == ["/sender/services/0", "/content/template"]
    assert guard.asked == [(task.who, FROM["from"])] * 2
    assert (await task.now()).state is TaskState.DRAFT


async def test_a_domain_that_is_not_ready_is_a_conflict(task: Steering) -> None:
    guard = Guard(Conflict("Mail from shop.de would not be believed.", code="domain_not_ready"))
    with pytest.raises(Conflict, match="believed"):
        await guarded(task, guard).launch(task.who, task.task_id, None)
    assert (await task.now()).state is TaskState.DRAFT


async def test_a_sender_that_cannot_be_read_is_not_asked_about(task: Steering) -> None:
    guard = Guard(Conflict("never", code="domain_not_ready"))
    broken = """UPDATE campaign_tasks SET sender = '{"from": "nobody"}' WHERE id = %s"""
    await change(task.database, broken, task.task_id)
    with pytest.raises(Invalid) as refused:
        await guarded(task, guard).launch(task.who, task.task_id, None)
    assert ([one.pointer for one in refused.value.errors], guard.asked) == (["/sender/from"], [])
