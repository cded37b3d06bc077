"""Touches are kept, each as it came, and told apart; what they prove is believed."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from postroom import rates
from postroom.database.engine import Database, Role, open_database
from postroom.timing import Timing
from postroom.tracking import recording
from postroom.tracking.machines import Machine
from postroom.tracking.recording import GROUP, MOST, Touch, TouchRecorder
from postroom.tracking.tokens import Mail, TouchKind
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, notification, rows
from tests.fixtures.sent import Mailing, delivery, letter, mailing, recipient

OPEN, CLICK = TouchKind.OPEN, TouchKind.CLICK
TIMING = Timing()


async def written(database: Database, *touches: Touch, timing: Timing = TIMING) -> None:
    recorder = TouchRecorder(database, timing)
    for touch in touches:
        recorder.note(touch)
    await recorder.close()


async def kept(database: Database, delivery_id: UUID) -> list[dict[str, Any]]:
    return await rows(
        database,
        "SELECT kind, link, machine, task_id FROM delivery_touches WHERE delivery_id = %s ORDER BY id",
        delivery_id,
    )


async def sent(database: Database, tenants: Tenants) -> tuple[Mailing, Mail]:
    task = await mailing(database, tenants.alice.id)
    return task, Mail(task.tenant_id, await recipient(database, task))


async def test_each_touch_is_kept_with_its_task(database: Database, tenants: Tenants) -> None:
    task, mail = await sent(database, tenants)
    await written(database, Touch(mail, OPEN), Touch(mail, CLICK, 3), Touch(mail, CLICK, 0, Machine.HEAD))
    assert await kept(database, mail.delivery_id) == [
        {"kind": "open", "link": None, "machine": None, "task_id": task.task_id},
        {"kind": "click", "link": 3, "machine": None, "task_id": task.task_id},
        {"kind": "click", "link": None, "machine": "head", "task_id": task.task_id},
    ]


async def test_a_token_speaks_for_the_tenant_it_names(database: Database, tenants: Tenants) -> None:
    _, mail = await sent(database, tenants)
    await written(
        database, Touch(Mail(tenants.decoy.id, mail.delivery_id), OPEN), Touch(Mail(mail.tenant_id, UUID(int=1)), OPEN)
    )
    assert await kept(database, mail.delivery_id) == []


async def test_what_comes_within_seconds_of_acceptance_is_a_machine(database: Database, tenants: Tenants) -> None:
    _, mail = await sent(database, tenants)
    await change(database, "UPDATE deliveries SET ended_at = now() WHERE id = %s", mail.delivery_id)
    now = asyncio.get_running_loop().time()
    await written(database, Touch(mail, OPEN, at=now), Touch(mail, CLICK, 1, at=now + 6))
    assert [row["machine"] for row in await kept(database, mail.delivery_id)] == ["at_once", None]


async def test_what_comes_before_the_answer_is_a_machine_and_no_evidence(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    mail = Mail(task.tenant_id, await recipient(database, task, state="handing_off"))
    await written(database, Touch(mail, OPEN))
    assert [row["machine"] for row in await kept(database, mail.delivery_id)] == ["at_once"]
    assert (await delivery(database, mail.delivery_id))["state"] == "handing_off"


async def test_nobody_follows_every_link_within_seconds(database: Database, tenants: Tenants) -> None:
    task, mail = await sent(database, tenants)
    other = Mail(task.tenant_id, await recipient(database, task, 2))
    await written(database, Touch(mail, OPEN), Touch(mail, CLICK, 1), Touch(other, CLICK, 1), Touch(other, CLICK, 2))
    assert [row["machine"] for row in await kept(database, mail.delivery_id)] == [None, None]
    await written(database, Touch(mail, CLICK, 2), Touch(mail, CLICK, 3))
    assert [row["machine"] for row in await kept(database, mail.delivery_id)] == [None, *["every_link"] * 3]
    assert [row["machine"] for row in await kept(database, other.delivery_id)] == [None, None]


async def test_a_burst_costs_few_transactions(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    mails = [Mail(task.tenant_id, await recipient(database, task, seq)) for seq in range(1, 101)]
    await written(database, *(Touch(mail, OPEN) for _ in range(100) for mail in mails))
    found = await rows(
        database,
        "SELECT count(*) AS touches, count(DISTINCT t.xmin::text) AS transactions FROM delivery_touches t "
        "WHERE task_id = %s",
        task.task_id,
    )
    assert found == [{"touches": 10_000, "transactions": 10_000 // GROUP}]


async def test_one_mail_keeps_so_many_of_a_kind(database: Database, tenants: Tenants) -> None:
    _, mail = await sent(database, tenants)
    for _ in range(2):
        await written(database, *(Touch(mail, OPEN) for _ in range(MOST - 20)), Touch(mail, CLICK, 1))
    found = [row["kind"] for row in await kept(database, mail.delivery_id)]
    assert (found.count("open"), found.count("click")) == (MOST, 2)


async def test_a_flood_on_one_mail_takes_nobody_elses_place(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "WAITING", 2 * MOST + 1)
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: 30.0))
    task = await mailing(database, tenants.alice.id)
    flooded, other = [Mail(task.tenant_id, await recipient(database, task, seq)) for seq in (1, 2)]
    flood = [Touch(flooded, kind, 1) for kind in (OPEN, CLICK) for _ in range(5 * MOST)]
    await written(database, *flood, Touch(other, OPEN))
    assert len(await kept(database, flooded.delivery_id)) == 2 * MOST
    assert len(await kept(database, other.delivery_id)) == 1


async def test_a_touch_waits_for_the_database(database: Database, database_url: str, tenants: Tenants) -> None:
    _, mail = await sent(database, tenants)
    async with open_database(database_url, {Role.APP: 1, Role.SYSTEM: 1}) as narrow:
        recorder = TouchRecorder(narrow, TIMING)
        async with narrow.system_transaction():
            recorder.note(Touch(mail, OPEN))
            await asyncio.sleep(0.05)
            assert await kept(database, mail.delivery_id) == []
        await recorder.close()
    assert len(await kept(database, mail.delivery_id)) == 1


async def test_a_touch_is_evidence_for_a_recipient_of_a_task(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    unknown = await recipient(database, task, 1, state="unknown")
    failed = await recipient(database, task, 2, state="failed", reason="outcome_unknown")
    refused = await recipient(database, task, 3, state="rejected", reason="mailbox_unknown")
    await written(database, *(Touch(Mail(task.tenant_id, one), CLICK, 1) for one in (unknown, failed, refused)))
    states = [
        (row["state"], row["reason"]) for one in (unknown, failed, refused) for row in [await delivery(database, one)]
    ]
    assert states == [("accepted", "evidence_found")] * 2 + [("rejected", "mailbox_unknown")]
    [page] = await rows(database, "SELECT counted, next_at FROM task_pages WHERE task_id = %s", task.task_id)
    assert (page["counted"], page["next_at"] is None) == (False, False)
    [owed] = await rows(database, "SELECT owed, next_poke_at FROM campaign_tasks WHERE id = %s", task.task_id)
    assert (owed["owed"], owed["next_poke_at"] is None) == (True, False)
    attempts = await rows(database, "SELECT event, worker FROM delivery_attempts WHERE delivery_id = %s", unknown)
    assert attempts == [{"event": "accepted", "worker": "feedback"}]


async def test_a_touch_is_evidence_for_a_notification(database: Database, tenants: Tenants) -> None:
    held = await letter(database, tenants.alice.id, state="held")
    theirs = await letter(database, tenants.decoy.id, state="held")
    await written(database, Touch(Mail(tenants.alice.id, held), OPEN))
    assert (await delivery(database, held))["state"] == "accepted"
    owner = await notification(database, (await delivery(database, held))["notification_id"])
    assert owner["state"] == "sent"
    assert (await delivery(database, theirs))["state"] == "held"


async def test_what_was_never_handed_over_was_not_opened(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    mail = Mail(task.tenant_id, await recipient(database, task, state="pending", attempt=0))
    await written(database, Touch(mail, OPEN), timing=Timing(touch_burst=timedelta(1)))
    assert await kept(database, mail.delivery_id) == []


async def test_a_scanner_proves_nothing(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    mails = [Mail(task.tenant_id, await recipient(database, task, seq, state="unknown")) for seq in (1, 2, 3)]
    named, soon, sweeping = mails
    await change(database, "UPDATE deliveries SET marked_at = now() WHERE id = %s", soon.delivery_id)
    await written(database, Touch(named, CLICK, 1, Machine.SCANNER), Touch(soon, OPEN))
    await written(database, *(Touch(sweeping, CLICK, link) for link in (1, 2, 3)))
    assert {(await delivery(database, mail.delivery_id))["state"] for mail in mails} == {"unknown"}
    await change(database, "UPDATE deliveries SET marked_at = now() - interval '1 h' WHERE id = %s", soon.delivery_id)
    await written(database, Touch(soon, OPEN))
    assert (await delivery(database, soon.delivery_id))["state"] == "accepted"


@pytest.mark.parametrize("state", ["pending", "claimed", "deferred", "rejected", "expired"])
async def test_what_is_known_to_have_arrived_is_not_sent_again(
    database: Database, tenants: Tenants, state: str
) -> None:
    task = await mailing(database, tenants.alice.id)
    again = Mail(task.tenant_id, await recipient(database, task, 1, state=state))
    first = Mail(task.tenant_id, await recipient(database, task, 2, state=state))
    await change(database, "UPDATE deliveries SET resends = 1 WHERE id = %s", again.delivery_id)
    await written(database, Touch(again, OPEN), Touch(first, OPEN))
    assert (await delivery(database, again.delivery_id))["state"] == "accepted"
    assert (await delivery(database, first.delivery_id))["state"] == state


async def test_a_group_that_breaks_keeps_no_other_from_being_written(database: Database, tenants: Tenants) -> None:
    _, mail = await sent(database, tenants)
    recorder = TouchRecorder(database, TIMING)
    recorder.note(Touch(mail, OPEN, at=float("nan")))
    await asyncio.sleep(0)  # it is taken, in a group of its own
    recorder.note(Touch(mail, CLICK, 1))
    await recorder.close()
    assert [row["kind"] for row in await kept(database, mail.delivery_id)] == ["click"]
