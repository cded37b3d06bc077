"""kill -9 in the middle of an erasure: it goes on where it was, leaves nothing of the person, and adds up."""

import asyncio
import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.chaos.gates import Gate, Gates
from tests.chaos.house import POSTGRES, TEMPORAL, WORKER, House
from tests.chaos.loads import DEMO, Load, accept
from tests.chaos.oracle import judge
from tests.chaos.report import Report
from tests.chaos.test_jobs import Desk, open_desk
from tests.fixtures.waiting import until
from tests.privacy.people import Person, found
from workflows.engine import connect

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

REACH_SECONDS = 30.0
PATIENCE = 90.0

RUNS = 3  # an enrolment, a firing of a schedule and the schedule, a digest, and whatever carried the mail
DATA = re.compile(r'"data": ?"([A-Za-z0-9+/=]+)"')

OF_PERSON = "UPDATE notifications SET user_id = %s WHERE id = ANY(%s) RETURNING id"
STATES = "SELECT DISTINCT state, user_id FROM notifications WHERE id = ANY(%s)"


async def known(house: House, desk: Desk, person: Person, count: int) -> list[UUID]:
    """Let the house know a person in many ways; returns their notifications, a third of which are on their way."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    contact = {"addresses": {"email": person.address}, "attributes": {"name": person.name}}
    await desk.ask("PUT", f"/contacts/{person.user_id}", json=contact)
    words = {"title": "Hello, {{ name }}", "content": "It begins."}
    steps = [words, {**words, "delay": "P1D"}]
    sequence = await desk.ask("POST", "/sequences", json={"name": "trial", "channel": "in_app", "steps": steps})
    enrolment = {"user_id": person.user_id, "variables": {"name": person.name}}
    await desk.ask("POST", f"/sequences/{sequence['id']}/enrolments", json=enrolment)
    await gathered_for(desk, person)
    message = {"channel": "in_app", "title": "Your week", "content": "It is Monday."}
    audience = {"user_ids": [person.user_id]}
    schedule = {"name": "weekly", "message": message, "audience": audience, "cron": "0 0 1 1 *"}
    made = await desk.ask("POST", "/schedules", json=schedule)
    await desk.ask("POST", f"/schedules/{made['id']}/trigger")
    ids = []
    for due_at, share in ((None, count // 3), (soon, count - count // 3)):
        load = Load(person.tenant_id, person.user_id, share, due_at=due_at)
        some = await accept(house.database_url, load)
        await house.rows(OF_PERSON, person.user_id, some)
        ids += some
    return ids


async def gathered_for(desk: Desk, person: Person) -> None:
    """Put something into a digest of theirs."""
    kind = {"group": "activity", "class": "transactional", "defaults": {"frequency": "daily"}}
    await desk.ask("PUT", "/notification-types/parcels", json=kind)
    parcel = {"user_id": person.user_id, "channel": "in_app", "notification_type": "parcels", "title": "It came"}
    await desk.ask("POST", "/notifications", json={**parcel, "content": f"For {person.name}."})

    async def waits() -> bool:
        digests = await desk.ask("GET", "/digests", params={"user_id": person.user_id})
        return [one["workflow_id"] is not None for one in digests["items"]] == [True]

    await until(waits, REACH_SECONDS)


@pytest.mark.parametrize("victim", [WORKER, POSTGRES, TEMPORAL])
async def test_nothing_is_left_of_the_person(
    house: House, report: Report, victim: str, pytestconfig: pytest.Config
) -> None:
    for _ in range(pytestconfig.getoption("rounds")):
        async with open_desk(house) as desk:
            person = Person((await house.rows(DEMO))[0]["id"])
            await play(house, desk, (victim, person), report.size(600, 3_000))


async def play(house: House, desk: Desk, plan: tuple[str, Person], count: int) -> None:
    """Kill the victim between two pages of an erasure, and look for the person everywhere afterwards."""
    victim, person = plan
    gates, sums, begun = Gates(house), set[int](), datetime.now(UTC)
    ids = await known(house, desk, person, count)
    await gates.shut(Gate.ERASING)
    job = await desk.ask("POST", f"/contacts/{person.user_id}/erasure")
    await gates.cut_off(Gate.ERASING, victim, REACH_SECONDS)

    async def done() -> bool:
        shown: dict[str, Any] = await desk.ask("GET", f"/jobs/{job['job_id']}")
        sums.add(sum(shown["counts"].values()) - shown["total"])
        return bool(shown["status"] == "completed")

    await until(done, PATIENCE)
    assert sums == {0}
    states = await house.rows(STATES, ids)
    assert {row["user_id"] for row in states} == {None}
    assert {row["state"] for row in states} <= {"sent", "skipped", "cancelled"}
    assert await asyncio.to_thread(found, house.database_url, person) == set()
    assert not (await judge(house, ids)).faults
    assert await said_by_the_engine(house, begun, person) == []


async def said_by_the_engine(house: House, since: datetime, person: Person) -> list[str]:
    """Whatever the engine still knows of this person: in the histories of all runs since then, and in its schedules."""
    client = await connect(house.temporal_address, "default")
    texts = {}
    async for run in client.list_workflows(f'StartTime >= "{since:%Y-%m-%dT%H:%M:%SZ}"'):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        texts[run.id] = plain(history.to_json())
    async for schedule in await client.list_schedules():
        told = await client.get_schedule_handle(schedule.id).describe()
        texts[schedule.id] = repr(told.raw_description)
    assert sum(str(person.tenant_id) in text for text in texts.values()) > RUNS  # what is said there can be read
    return [name for name, text in texts.items() if any(word in text for word in person.words)]


def plain(text: str) -> str:
    """A history with what was encoded in it beside it."""
    encoded = [base64.b64decode(data) for data in DATA.findall(text)]
    return text + b" ".join(encoded).decode(errors="replace")
