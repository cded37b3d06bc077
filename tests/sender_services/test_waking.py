"""Tasks that waited because everything was frozen go on once something takes their mail again."""

import pytest

from postroom.sender_services.models import ALL_FROZEN, ServiceStatus
from postroom.sender_services.waking import resume_tasks
from tests.channels.email.conftest import Net
from tests.fixtures.rows import change, rows
from tests.sender_services.freezing import frozen
from tests.sender_services.office import Office

PAUSE = "UPDATE campaign_tasks SET state = 'paused', reason = %s WHERE id = %s"
EVENTS = "SELECT kind, reason FROM task_events WHERE task_id = %s"


@pytest.mark.parametrize(("reason", "state"), [(ALL_FROZEN, "sending"), ("operator", "paused")])
async def test_thawing_by_hand_resumes_the_tasks_that_waited_for_it(
    office: Office, net: Net, reason: str, state: str
) -> None:
    server = await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}")
    await office.services.set_status(office.tenant.id, service_id, ServiceStatus.FROZEN)
    await change(office.database, PAUSE, reason, office.task_id)
    await office.services.set_status(office.tenant.id, service_id, ServiceStatus.ACTIVE)
    task = await office.task()
    assert (task["state"], task["owed"]) == (state, state == "sending")
    events = await rows(office.database, EVENTS, office.task_id)
    assert events == ([{"kind": "resumed", "reason": "services_thawed"}] if state == "sending" else [])


async def test_a_paused_task_comes_back_when_a_probe_is_due(office: Office, net: Net) -> None:
    server = await net.serve()
    async with office.worker() as worker:
        await frozen(office, worker, server)
    await change(office.database, PAUSE, ALL_FROZEN, office.task_id)
    async with office.database.tenant_transaction(office.tenant.id) as connection:
        assert await resume_tasks(connection) == 0
    await office.probe_due()
    async with office.database.tenant_transaction(office.tenant.id) as connection:
        assert await resume_tasks(connection) == 1
    assert (await office.task())["state"] == "sending"


@pytest.mark.parametrize(
    ("sender", "resumed"),
    [
        ('{"from": "News <a@News.example.com>"}', 0),
        ('{"from": "a@other.example.com"}', 1),
        ("{}", 1),
        ('{"from": "a@news.example.com", "services": ["svc_gone"]}', 0),
    ],
)
async def test_a_service_that_takes_no_mail_of_a_task_does_not_wake_it(
    office: Office, net: Net, sender: str, resumed: int
) -> None:
    server = await net.serve()
    url = f"smtp://127.0.0.1:{server.port}"
    frozen_one = await office.service(url, from_domains=("news.example.com",))
    await office.service(url, from_domains=("other.example.com",))
    await office.services.set_status(office.tenant.id, frozen_one, ServiceStatus.FROZEN)
    await change(office.database, PAUSE, ALL_FROZEN, office.task_id)
    await change(office.database, "UPDATE campaign_tasks SET sender = %s::jsonb WHERE id = %s", sender, office.task_id)
    async with office.database.tenant_transaction(office.tenant.id) as connection:
        assert await resume_tasks(connection) == resumed


async def test_a_task_goes_on_when_its_last_service_is_deleted(office: Office, net: Net) -> None:
    server = await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}")
    await office.services.set_status(office.tenant.id, service_id, ServiceStatus.FROZEN)
    await change(office.database, PAUSE, ALL_FROZEN, office.task_id)
    await office.services.remove(office.tenant.id, service_id)
    async with office.database.tenant_transaction(office.tenant.id) as connection:
        assert await resume_tasks(connection) == 1
