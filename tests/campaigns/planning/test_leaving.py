"""A task leaves over services that its key may use and from a domain that would be believed, or not at all."""

from dataclasses import replace

import pytest

from postroom.campaigns.planning.approval import Approvals
from postroom.campaigns.planning.checking import LaunchChecks
from postroom.campaigns.planning.launching import Launches
from postroom.campaigns.planning.leaving import Departures
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid
from postroom.identity import SENDER_SERVICE, new_id, public_id
from tests.campaigns.ground import letter
from tests.campaigns.test_transitions import TERMS, UNREVIEWED, Steering
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change

DECLARED = "INSERT INTO mail_domains (id, tenant_id, domain, state, next_check_at) VALUES (%s, %s, %s, 'ready', now())"
SHOP = {"from": "Shop <news@shop.de>"}


@pytest.fixture
async def task(database: Database, tenants: Tenants) -> Steering:
    """A draft from shop.de that needs no review; what guards its departure is asked."""
    await letter(database, tenants.alice)
    await change(database, UNREVIEWED, tenants.alice.id)
    made = Steering(database, tenants.alice)
    departures = Departures("House <house@house.de>", domains_required=False)
    checks = LaunchChecks((departures.check_services, departures.check_domain))
    made.approvals = Approvals(database, checks)
    made.launches = Launches(database, made.drafts, made.approvals)
    await made.draft()
    return made


async def launched(task: Steering, **sender: object) -> TaskState:
    now = await task.now()
    await task.drafts.replace(task.who, task.task_id, replace(TERMS, sender=sender), now.version)
    launched, _ = await task.launches.launch(task.who, task.task_id, None)
    return launched.state


async def test_without_services_and_domains_of_its_own_a_tenant_sends_as_it_always_did(task: Steering) -> None:
    assert await launched(task, **SHOP) is TaskState.SCHEDULED


async def test_a_service_must_be_there(task: Steering) -> None:
    with pytest.raises(Invalid) as refused:
        await launched(task, **SHOP, services=[public_id(SENDER_SERVICE, new_id())])
    assert [one.pointer for one in refused.value.errors] == ["/sender/services/0"]


async def test_a_domain_must_be_ready(task: Steering) -> None:
    async with task.database.tenant_transaction(task.tenant.id) as connection:
        await connection.execute(DECLARED, (new_id(), task.tenant.id, "shop.de"))
    with pytest.raises(Conflict) as refused:
        await launched(task)  # from the house's own domain, which is not the tenant's
    assert refused.value.code == "domain_not_ready"
    assert await launched(task, **SHOP) is TaskState.SCHEDULED
