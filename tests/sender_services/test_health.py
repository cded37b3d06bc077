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
from postroom.webhooks.models import EventType
from tests.channels.email.conftest import Net
from tests.channels.email.scripted import BUSY, Act, Move, Scripted
from tests.fixtures.rows import change, rows
from tests.fixtures.waiting import until
from tests.sender_services.freezing import frozen
from tests.sender_services.office import CALM, HASTY, Office, called

BLOCKED = b"550 5.7.1 your address is on a list\r\n"
NOBODY = b"550 5.1.1 nobody here\r\n"
VERSION = "SELECT xmin::text FROM sender_services WHERE tenant_id = %s AND status = 'frozen'"
FROZEN_TOLD = "SELECT data FROM webhook_messages WHERE tenant_id = %s AND type = %s"
USED = "SELECT used FROM provider_usage WHERE provider = %s"
WRITTEN_TO = """
SELECT n.user_id, c.metadata ->> 'email' AS address, c.title FROM notifications n
JOIN notification_contents c ON c.notification_id = n.id
WHERE n.tenant_id = %s AND n.origin = 'request' ORDER BY n.user_id
"""


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
    async with office.worker(timing=HASTY) as worker:
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
        await office.probe_due(worker)
        assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED
        assert len(await rows(database, FROZEN_TOLD, office.tenant.id, EventType.SERVICE_THAWED)) == 1


async def test_all_frozen_says_when_to_come_back(office: Office, net: Net) -> None:
    server = await net.serve()
    async with office.worker() as worker:
        await frozen(office, worker, server)
        answer = await worker.send(office.parcel())
    assert (answer.verdict, answer.phase, answer.reason) == (Verdict.UNAVAILABLE, Phase.CONNECT, ALL_FROZEN)
    assert answer.retry_after is not None
    assert timedelta(0) < answer.retry_after <= CALM.service_pause
    assert server.connections == 3, "nobody knocks"


async def test_one_of_four_workers_probes_and_its_failure_doubles_the_pause(office: Office, net: Net) -> None:
    server = await net.serve()
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(office.worker()) for _ in range(4)]
        name = await frozen(office, workers[0], server)
        server.push("BANNER", BUSY)
        await office.probe_due(*workers)
        sent = [one.send(office.parcel()) for one in workers for _ in range(10)]
        answers = await asyncio.gather(*sent)
        assert server.connections == 4, "forty messages, and one of them tried"
        assert {answer.reason for answer in answers} == {ALL_FROZEN}
        [row] = await rows(office.database, "SELECT * FROM sender_services WHERE tenant_id = %s", office.tenant.id)
        assert (row["pause"], called(row["id"])) == (2 * CALM.service_pause, name)


async def test_one_success_thaws_it_for_everybody(office: Office, net: Net) -> None:
    server = await net.serve()
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(office.worker()) for _ in range(4)]
        await frozen(office, workers[0], server)
        server.push("BODY", b"250 2.0.0 queued\r\n")
        await office.probe_due(*workers)
        answers = await asyncio.gather(*(one.send(office.parcel()) for one in workers))
        assert Counter(answer.verdict for answer in answers) == {Verdict.ACCEPTED: 1, Verdict.UNAVAILABLE: 3}
        for one in workers:
            one.desk.book.forget(office.tenant.id)  # a book is believed for a second
        again = await asyncio.gather(*(one.send(office.parcel()) for one in workers))
        assert {answer.verdict for answer in again} == {Verdict.ACCEPTED}
    [row] = await rows(office.database, "SELECT * FROM sender_services WHERE tenant_id = %s", office.tenant.id)
    assert (row["status"], row["errors"], row["frozen_by"], row["probe_token"]) == ("active", 0, None, None)


async def test_a_probe_about_one_recipient_leaves_the_next_one_to_try(office: Office, net: Net) -> None:
    server = await net.serve()
    async with office.worker() as worker:
        await frozen(office, worker, server)
        server.push("RCPT", NOBODY)
        await office.probe_due(worker)
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
        assert (answer.reason, answer.retry_after) == (ALL_FROZEN, CALM.service_pause_last)
    async with office.worker() as worker:
        await office.services.set_status(office.tenant.id, service_id, ServiceStatus.ACTIVE)
        assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED


def test_waits_that_somebody_asked_for_are_no_errors() -> None:
    away = Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable")
    echo = Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable", retry_after=timedelta(seconds=5))
    assert (is_ill(away), is_ill(echo)) == (True, False)


async def asked_for_the_body(server: Scripted) -> bool:
    return server.verbs()[-1:] == ["DATA"]


async def test_a_server_that_keeps_the_probe_waiting_is_not_probed_again(office: Office, net: Net) -> None:
    quick = replace(HASTY, service_probe=timedelta(seconds=0.2))
    server = await net.serve()
    async with office.worker(timing=quick) as one, office.worker(timing=quick) as other:
        await frozen(office, one, server)
        await office.probe_due(one, other)
        server.push("BODY", Act.HANG)
        probing = asyncio.create_task(one.send(office.parcel()))
        await until(lambda: asked_for_the_body(server), 20)
        await asyncio.sleep(0.35)  # longer than a probe that has not been marked may take
        assert (await other.send(office.parcel())).reason == ALL_FROZEN
        assert (await probing).verdict is Verdict.UNKNOWN
    assert server.verbs().count("MAIL") == 1


async def test_a_frozen_one_without_room_is_not_probed_for_every_message(office: Office, net: Net) -> None:
    server, other = await net.serve(), await net.serve()

    async def given_back() -> bool:
        return await rows(office.database, USED, full) == [{"used": 0}]

    async with office.worker() as worker:
        full = await frozen(office, worker, server, limits=Allowance(per_day=1))
        await office.service(f"smtp://127.0.0.1:{other.port}")
        await until(given_back, 20)
        async with office.database.statement(Role.LEDGER) as connection:
            await connection.execute("UPDATE provider_usage SET used = 1 WHERE provider = %s", (full,))
        await office.probe_due(worker)
        before = await rows(office.database, VERSION, office.tenant.id)
        for _ in range(3):
            assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED
        assert await rows(office.database, VERSION, office.tenant.id) == before
    assert len(other.received) == 3
