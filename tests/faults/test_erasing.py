"""Erase in every phase of a hand-off: before the mark no body leaves, past it the answer decides; nothing is left."""

import asyncio
import base64
import os
import re
from uuid import UUID

import pytest
from temporalio.client import Client

from postroom.identity import new_id
from postroom.loops import end
from postroom.privacy.erasing import Eraser
from postroom.privacy.exporting import Exporter
from postroom.privacy.rounds import PersonRounds
from postroom.privacy.service import Privacy
from postroom.privacy.walking import Kind
from postroom.tenants.gate import Identity
from postroom.tenants.secrets import Seal
from postroom.timing import Timing
from tests.faults.office import PATIENCE, Office, address_of
from tests.fixtures.database import Tenant
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import notification, rows
from tests.fixtures.waiting import until

SEAL = Seal.parse("test:" + base64.b64encode(os.urandom(32)).decode())


async def erased(office: Office, tenant: Tenant, user_id: str) -> UUID:
    """Ask for an erasure, and take the steps that can be taken at once."""
    privacy = Privacy(office.database, PEPPER, SEAL)
    job = (
        await privacy.ask(Identity(tenant.id, tenant.slug, new_id(), frozenset()), Kind.ERASURE, user_id, None)
    ).job_id
    await loop_of(office).round()
    return job


def loop_of(office: Office) -> PersonRounds:
    return PersonRounds(office.database, Timing.scaled(0.01), Eraser(PEPPER), Exporter(PEPPER, SEAL))


async def finished(office: Office, job: UUID) -> None:
    """Let the loop run until the job has ended."""
    loop = asyncio.create_task(loop_of(office).run())

    async def done() -> bool:
        [row] = await rows(office.database, "SELECT state FROM person_jobs WHERE job_id = %s", job)
        return bool(row["state"] == "done")

    try:
        await until(done, PATIENCE)
    finally:
        await end(loop)


def readable(history: str) -> str:
    """A history with its payloads as they were before they were wrapped."""
    payloads = re.findall(r'"data": "([A-Za-z0-9+/=]+)"', history)
    return history + " ".join(base64.b64decode(one).decode(errors="replace") for one in payloads)


async def nothing_is_left(office: Office, engine: Client, one: UUID, words: tuple[str, ...]) -> None:
    """Neither the record nor the engine knows whom it was about."""
    row = await notification(office.database, one)
    assert row["user_id"] is None
    delivery = await office.delivery(one)
    assert delivery["address"] is None
    kept = "SELECT * FROM delivery_messages WHERE delivery_id = %s"
    assert await rows(office.database, kept, delivery["id"]) == []
    details = " ".join(str(attempt["detail"]) for attempt in await office.attempts(one))
    carriers = await rows(office.database, "SELECT workflow_id FROM carriers WHERE id = %s", row["carrier_id"])
    histories = [await engine.get_workflow_handle(one["workflow_id"]).fetch_history() for one in carriers]
    assert histories
    told = details + " ".join(readable(history.to_json()) for history in histories)
    assert str(row["tenant_id"]) in told  # the payloads were read
    assert [word for word in words if word in told] == []


@pytest.mark.parametrize("stop", ["rcpt", "data"])
async def test_in_the_envelope_no_body_leaves_any_more(office: Office, engine: Client, stop: str) -> None:
    tenant, person = await office.tenant(), f"ada-{new_id().hex}"
    office.sink.hold(stop, address_of(tenant, "ok"))
    one = await office.send(tenant, "ok", user_id=person)
    await office.sink.held(stop)
    job = await erased(office, tenant, person)
    office.sink.release(stop)
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("skipped", "erased")
    other = await office.send(tenant, "other", user_id="grace")  # proves that the first conversation is over
    assert (await office.ended(other))["state"] == "sent"
    assert await office.copies(one) == []
    assert await office.attempts(one) == []
    await finished(office, job)
    await nothing_is_left(office, engine, one, (person, address_of(tenant, "ok")))


@pytest.mark.parametrize(
    ("to", "stop", "end"),
    [
        ("ok", "354", ("sent", "accepted", 1)),
        ("ok", "250", ("sent", "accepted", 1)),
        ("tempfail-dot", "dot", ("cancelled", "cancelled", 0)),
        ("permfail-dot", "dot", ("cancelled", "cancelled", 0)),
        ("accept-drop", "dot", ("sent", "evidence_found", 1)),
        ("drop-dot", "dot", ("cancelled", "cancelled", 0)),
    ],
)
async def test_past_the_mark_the_answer_decides(  # noqa: PLR0913 - a table
    office: Office, engine: Client, to: str, stop: str, end: tuple[str, str, int]
) -> None:
    tenant, person = await office.tenant(), f"ada-{new_id().hex}"
    office.sink.hold(stop, address_of(tenant, to))
    one = await office.send(tenant, to, user_id=person)
    await office.sink.held(stop)
    await office.delivery_is(one, "handing_off")
    job = await erased(office, tenant, person)
    office.sink.release(stop)
    row = await office.ended(one)
    assert (row["state"], row["reason"], len(await office.copies(one))) == end
    await finished(office, job)
    await nothing_is_left(office, engine, one, (person, address_of(tenant, to)))


async def test_past_the_mark_and_unknown_for_ever_it_says_so_and_nothing_goes_again(
    office: Office, engine: Client
) -> None:
    tenant, person = await office.tenant(silent=True), f"ada-{new_id().hex}"
    office.sink.hold("dot", address_of(tenant, "accept-drop"))
    one = await office.send(tenant, "accept-drop", message_class="security", user_id=person)
    await office.sink.held("dot")
    job = await erased(office, tenant, person)
    office.sink.release("dot")
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("failed", "outcome_unknown")
    assert len(await office.copies(one)) == 1
    await finished(office, job)
    await nothing_is_left(office, engine, one, (person, address_of(tenant, "accept-drop")))
