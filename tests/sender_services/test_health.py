"""What fails too often in a row is frozen, told once, and tried by one message alone; success thaws it."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.channels.base import Answer, Phase, Verdict
from postroom.database.engine import Database, Role
from postroom.limits.allowance import Allowance
from postroom.sender_services.health import is_ill
from postroom.sender_services.models import ALL_FROZEN, ServiceStatus
from postroom.sender_services.waking import resume_tasks
from postroom.webhooks.models import EventType
from tests.channels.email.conftest import Net
from tests.channels.email.scripted import Act, Move, Scripted
from tests.fixtures.rows import change, rows
from tests.sender_services.office import QUICK, Office, Worker, called

BUSY = b"421 4.3.2 busy\r\n"
BLOCKED = b"550 5.7.1 your address is on a list\r\n"
NOBODY = b"550 5.1.1 nobody here\r\n"
VERSION = "SELECT xmin::text FROM sender_services WHERE tenant_id = %s AND status = 'frozen'"
FROZEN_TOLD = "SELECT data FROM webhook_messages WHERE tenant_id = %s AND type = %s"
WRITTEN_TO = """
SELECT n.user_id, c.metadata ->> 'email' AS address, c.title FROM notifications n
JOIN notification_contents c ON c.notification_id = n.id
WHERE n.tenant_id = %s AND n.origin = 'request' ORDER BY n.user_id
"""


async def frozen(office: Office, worker: Worker, server: Scripted, **wishes: object) -> str:
    """Have a service that three refused connections froze; returns its name in the ledger."""
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", **wishes)
    server.push("BANNER", *[BUSY] * 3)
    for _ in range(3):
        await worker.send(office.parcel())
        await asyncio.sleep(0.05)  # what the process itself remembers of the outage
    assert (await office.row(service_id))["status"] == "frozen"
    return called(service_id)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ({"BANNER": [BUSY] * 3}, "frozen"),
        ({"MAIL": [BUSY] * 3}, "frozen"),
        ({"BODY": [BLOCKED] * 3}, "frozen"),
        ({"BODY": [Act.DROP] * 3}, "frozen"),
        ({"RCPT": [NOBODY] * 3}, "active"),
        ({"RCPT": [b"451 4.7.1 greylisted\r\n"] * 3}, "active"),
        ({"BODY": [b"552 5.2.2 full\r\n"] * 3}, "active"),
    ],
    ids=str,
)
async def test_errors_of_the_service_freeze_it_and_those_of_recipients_do_not(
    office: Office, net: Net, script: dict[str, list[Move]], status: str
) -> None:
    server = await net.serve(script=script)
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}")
    async with office.worker() as worker:
        for _ in range(3):
            assert (await office.row(service_id))["status"] == "active"
            await worker.send(office.parcel())
            await asyncio.sleep(0.05)
    row = await office.row(service_id)
    ill = status == "frozen"
    assert (row["status"], row["frozen_by"], row["errors"]) == (status, "health" if ill else None, 3 if ill else 0)


async def test_a_success_ends_the_row(office: Office, net: Net) -> None:
    server = await net.serve(script={"BANNER": [BUSY, BUSY, b"220 hello\r\n", BUSY, BUSY]})
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}?per_connection=1")
    async with office.worker() as worker:
        for _ in range(5):
            await worker.send(office.parcel())
            await asyncio.sleep(0.05)
    row = await office.row(service_id)
    assert (row["status"], row["errors"], row["last_error"]) == ("active", 2, "provider_busy")


async def test_sixteen_at_once_that_fail_are_one_error(office: Office, net: Net) -> None:
    server = await net.serve(script={"DATA": [Act.HANG] * 16})
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", connections=16)
    async with office.worker() as worker:
        await asyncio.gather(*(worker.send(office.parcel()) for _ in range(16)))
    row = await office.row(service_id)
    assert (row["status"], row["errors"]) == ("active", 1)


async def test_it_is_told_once_as_an_event_and_to_the_operators_named(
    office: Office, net: Net, database: Database
) -> None:
    endpoint = """
        INSERT INTO webhook_endpoints (id, tenant_id, url, events, state, rate_per_minute, secret, secret_key_id,
                                       event_life)
        VALUES (uuidv7(), %s, 'https://x.example', %s, 'enabled', 100, 'x', 'x', interval '1 h')
    """
    events = [EventType.SERVICE_FROZEN, EventType.SERVICE_THAWED]
    await change(database, endpoint, office.tenant.id, [str(event) for event in events])
    server = await net.serve()
    async with office.worker() as worker:
        named = {"alert_user_ids": ("operator",), "alert_addresses": ("duty@shop.de",)}
        name = await frozen(office, worker, server, **named)
        for _ in range(3):
            assert (await worker.send(office.parcel())).reason == ALL_FROZEN
        [told] = await rows(database, FROZEN_TOLD, office.tenant.id, EventType.SERVICE_FROZEN)
        assert (told["data"]["service_id"], told["data"]["reason"]) == (name, "provider_busy")
        written = await rows(database, WRITTEN_TO, office.tenant.id)
        assert [(one["user_id"], one["address"]) for one in written] == [("operator", None), (None, "duty@shop.de")]
        assert {one["title"] for one in written} == {"Sender service service 1 is frozen"}
        await asyncio.sleep(0.6)
        assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED
        assert len(await rows(database, FROZEN_TOLD, office.tenant.id, EventType.SERVICE_THAWED)) == 1


async def test_all_frozen_says_when_to_come_back(office: Office, net: Net) -> None:
    server = await net.serve()
    async with office.worker() as worker:
        await frozen(office, worker, server)
        answer = await worker.send(office.parcel())
    assert (answer.verdict, answer.phase, answer.reason) == (Verdict.UNAVAILABLE, Phase.CONNECT, ALL_FROZEN)
    assert answer.retry_after is not None
    assert timedelta(0) < answer.retry_after <= timedelta(seconds=0.5)
    assert server.connections == 3, "nobody knocks"


async def test_one_of_four_workers_probes_and_its_failure_doubles_the_pause(office: Office, net: Net) -> None:
    server = await net.serve()
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(office.worker()) for _ in range(4)]
        name = await frozen(office, workers[0], server)
        server.push("BANNER", BUSY)
        await asyncio.sleep(0.6)
        sent = [one.send(office.parcel()) for one in workers for _ in range(10)]
        answers = await asyncio.gather(*sent)
        assert server.connections == 4, "forty messages, and one of them tried"
        assert {answer.reason for answer in answers} == {ALL_FROZEN}
        [row] = await rows(office.database, "SELECT * FROM sender_services WHERE tenant_id = %s", office.tenant.id)
        assert (row["pause"], called(row["id"])) == (timedelta(seconds=1), name)


async def test_one_success_thaws_it_for_everybody(office: Office, net: Net) -> None:
    server = await net.serve()
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(office.worker()) for _ in range(4)]
        await frozen(office, workers[0], server)
        server.push("BODY", b"250 2.0.0 queued\r\n")
        await asyncio.sleep(0.6)
        answers = await asyncio.gather(*(one.send(office.parcel()) for one in workers))
        assert Counter(answer.verdict for answer in answers) == {Verdict.ACCEPTED: 1, Verdict.UNAVAILABLE: 3}
        await asyncio.sleep(1.1)  # as long as a book is believed
        again = await asyncio.gather(*(one.send(office.parcel()) for one in workers))
        assert {answer.verdict for answer in again} == {Verdict.ACCEPTED}
    [row] = await rows(office.database, "SELECT * FROM sender_services WHERE tenant_id = %s", office.tenant.id)
    assert (row["status"], row["errors"], row["frozen_by"], row["probe_token"]) == ("active", 0, None, None)


async def test_a_probe_about_one_recipient_leaves_the_next_one_to_try(office: Office, net: Net) -> None:
    server = await net.serve()
    async with office.worker() as worker:
        await frozen(office, worker, server)
        server.push("RCPT", NOBODY)
        await asyncio.sleep(0.6)
        assert (await worker.send(office.parcel())).verdict is Verdict.REJECTED
        assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED


async def test_another_service_takes_over_what_a_frozen_one_cannot(office: Office, net: Net) -> None:
    bad, good = await net.serve(script={"BANNER": [BUSY] * 9}), await net.serve()
    await office.service(f"smtp://127.0.0.1:{bad.port}")
    other = await office.service(f"smtp://127.0.0.1:{good.port}")
    async with office.worker() as worker:
        for _ in range(12):
            answer = await worker.send(office.parcel())
            assert (answer.verdict, answer.provider) == (Verdict.ACCEPTED, called(other))
            await asyncio.sleep(0.03)


async def test_frozen_by_hand_it_stays_so_until_it_is_thawed_by_hand(office: Office, net: Net) -> None:
    server = await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}")
    await office.services.set_status(office.tenant.id, service_id, ServiceStatus.FROZEN)
    async with office.worker() as worker:
        answer = await worker.send(office.parcel())
        assert (answer.reason, answer.retry_after) == (ALL_FROZEN, timedelta(seconds=1.5))
    async with office.worker() as worker:
        await office.services.set_status(office.tenant.id, service_id, ServiceStatus.ACTIVE)
        assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED


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
    await asyncio.sleep(0.5)
    async with office.database.tenant_transaction(office.tenant.id) as connection:
        assert await resume_tasks(connection) == 1
    assert (await office.task())["state"] == "sending"


def test_waits_that_somebody_asked_for_are_no_errors() -> None:
    away = Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable")
    echo = Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable", retry_after=timedelta(seconds=5))
    assert (is_ill(away), is_ill(echo)) == (True, False)


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


async def test_a_server_that_keeps_the_probe_waiting_is_not_probed_again(office: Office, net: Net) -> None:
    quick = replace(QUICK, service_probe=timedelta(seconds=0.2))
    server = await net.serve()
    async with office.worker(timing=quick) as one, office.worker(timing=quick) as other:
        await frozen(office, one, server)
        await asyncio.sleep(0.6)
        server.push("BODY", Act.HANG)
        probing = asyncio.create_task(one.send(office.parcel()))
        await asyncio.sleep(0.35)  # longer than a probe that has not been marked may take
        assert (await other.send(office.parcel())).reason == ALL_FROZEN
        assert (await probing).verdict is Verdict.UNKNOWN
    assert server.verbs().count("MAIL") == 1


async def test_a_frozen_one_without_room_is_not_probed_for_every_message(office: Office, net: Net) -> None:
    server, other = await net.serve(), await net.serve()
    async with office.worker() as worker:
        full = await frozen(office, worker, server, limits=Allowance(per_day=1))
        await office.service(f"smtp://127.0.0.1:{other.port}")
        await asyncio.sleep(1.1)  # until what was not used is given back, and the probe is due
        async with office.database.statement(Role.LEDGER) as connection:
            await connection.execute("UPDATE provider_usage SET used = 1 WHERE provider = %s", (full,))
        worker.desk.book.forget(office.tenant.id)
        before = await rows(office.database, VERSION, office.tenant.id)
        for _ in range(3):
            assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED
        assert await rows(office.database, VERSION, office.tenant.id) == before
    assert len(other.received) == 3
