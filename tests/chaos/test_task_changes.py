"""While a task is sent its template is retired, people go, tags change, and the service it goes over freezes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from postroom.identity import TASK, public_id
from tests.chaos.accounts import account, over
from tests.chaos.house import House
from tests.chaos.operators import CONNECTIONS, PATIENCE, Operator, open_operator
from tests.chaos.report import Report
from tests.chaos.tasks import Crowd, Task, Terms, gather
from tests.chaos.test_jobs import Desk
from tests.fixtures.sink import Behaviour
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

STILL_SECONDS = 0.3
CLAIMED = timedelta(seconds=4)  # a claim lasts three here
CLOSING = Behaviour.refuse("mail", "421 4.3.2 Closing")
NO_CONSENT = {"consent": {"marketing": {"email": {"given": False}}}}

FATES = """
SELECT d.seq, r.user_id, d.state, d.reason FROM deliveries d JOIN task_recipients r USING (task_id, seq)
WHERE d.task_id = %s ORDER BY d.seq
"""
STANDING = "SELECT state, reason FROM campaign_tasks WHERE id = %s"


@pytest.fixture
async def operator(house: House) -> AsyncIterator[Operator]:
    """An operator of the demo tenant."""
    async with open_operator(house) as someone:
        yield someone


async def test_who_goes_in_the_middle_is_told_nothing_more(operator: Operator, report: Report) -> None:
    """Those who unsubscribe or are erased are skipped; a tag given or taken, or a template retired, changes nothing."""
    people, some = report.size(150, 20_000), report.size(5, 300)
    crowd = await operator.crowd(f"changing-{people}", people)
    pace = {"per_minute": report.size(3_000, 12_000)}
    task = await operator.drafted(crowd, "marketing", pace=pace)
    await operator.desk.ask("POST", f"/tasks/{public_id(TASK, task.id)}/launch")
    await operator.goes_on(task, 0)
    last = [f"{crowd.name}.{number:06}" for number in range(people - 3 * some + 1, people + 1)]
    gone, erased, untagged = set(last[:some]), set(last[some : 2 * some]), set(last[2 * some :])
    retiring = f"/templates/{crowd.name}/versions/1/retire"
    assert (await operator.desk.ask("POST", retiring, json={"reason": "over"}))["state"] == "retired"
    await leave(operator.desk, gone, erased)
    moment = datetime.now(UTC) + CLAIMED  # who was claimed before may still be told
    await retag(operator, crowd, untagged)
    await over(operator.house, [task], PATIENCE)
    verdict = await account(operator.house, task)
    fates = await operator.house.rows(FATES, task.id)
    ends = Counter(f"{row['state']} {row['reason']}" for row in fates)
    report.note("task, people go and a template is retired", ends=dict(ends), **verdict.faults)
    assert not verdict.faults
    by_place = {row["user_id"]: row["state"] for row in fates}
    assert {by_place[one] for one in untagged} == {"accepted"}
    assert erased.isdisjoint(by_place)
    told = {one.to: datetime.fromisoformat(one.at) for one in operator.house.sink.accepted if crowd.holds(one.to)}
    for reason, group in (("unsubscribed", gone), ("erased", erased)):
        before = [told[place] for one in group if (place := address(crowd, one)) in told]
        assert max(before, default=moment) <= moment
        assert 0 < ends[f"skipped {reason}"] == some - len(before)
    assert operator.told(task) == len(told) == people - ends["skipped unsubscribed"] - ends["skipped erased"]


def address(crowd: Crowd, user_id: str) -> str:
    """Where one of a crowd is told."""
    return f"{crowd.to[0]}+{crowd.name}.{int(user_id.rpartition('.')[2])}@example.org"


async def leave(desk: Desk, gone: Collection[str], erased: Collection[str]) -> None:
    """Have some unsubscribe and others be erased; returns once nobody has to be told any more."""
    for one in gone:
        assert "user_id" in await desk.ask("PATCH", f"/contacts/{one}", json=NO_CONSENT)
    jobs = [(await desk.ask("POST", f"/contacts/{one}/erasure"))["job_id"] for one in erased]

    async def all_erased() -> bool:
        while jobs and (await desk.ask("GET", f"/jobs/{jobs[0]}"))["status"] == "completed":
            jobs.pop(0)
        return not jobs

    await until(all_erased, PATIENCE)


async def retag(operator: Operator, crowd: Crowd, untagged: Collection[str]) -> None:
    """Take the tag of a crowd from some of it, and give it to as many others: the audience is frozen."""
    newcomers = replace(crowd, name=f"{crowd.name}-late", count=len(untagged))
    await gather(operator.house.database_url, newcomers)
    names = [f"{newcomers.name}.{number:06}" for number in range(1, newcomers.count + 1)]
    changed = {"add": names, "remove": sorted(untagged)}
    answer = await operator.desk.ask("POST", f"/tags/{crowd.name}/contacts", json=changed)
    assert (answer["added"], answer["removed"]) == (len(names), len(untagged))


async def test_a_task_waits_for_its_frozen_service_and_goes_on_by_itself(operator: Operator, report: Report) -> None:
    """Frozen by hand it waits for the hand that thaws it; frozen for its errors, a try of its own thaws it."""
    sink, desk, times = operator.house.sink, operator.desk, report.size(1, 9)
    people = report.size(400, 10_000)
    relay = {"name": f"Relay {people}", "kind": "smtp", "url": f"smtp://127.0.0.1:{sink.port}"}
    service = (await desk.ask("POST", "/admin/sender-services", json=relay))["id"]
    crowd = await operator.crowd(f"serviced-{people}", people)
    task = await operator.half_sent(crowd, Terms(sender={"services": [service]}))
    late = []
    for _ in range(times):
        late.append(await switched(operator, task, service))
        await operator.goes_on(task, people // 20)
    sink.behave("*", CLOSING)
    await paused(operator, task)
    sink.behave("*")
    await over(operator.house, [task], PATIENCE)
    verdict = await account(operator.house, task)
    assert (await desk.wire.delete(f"/api/v1/admin/sender-services/{service}")).status_code == HTTPStatus.NO_CONTENT
    report.note(f"task, service frozen {times + 1} times", people=people, taken_after_the_answer=late, **verdict.faults)
    assert not verdict.faults
    assert max(late) <= CONNECTIONS
    assert operator.told(task) == people


async def switched(operator: Operator, task: Task, service: str) -> int:
    """Freeze and thaw a service by hand; returns what the sink took after the freeze was answered."""
    path = f"/admin/sender-services/{service}/set-status"
    assert (await operator.desk.ask("POST", path, json={"status": "frozen"}))["status"] == "frozen"
    taken = operator.told(task)
    await paused(operator, task)
    await operator.settled(task.id)
    stood = operator.told(task)
    await asyncio.sleep(STILL_SECONDS)
    assert operator.told(task) == stood
    assert (await operator.desk.ask("POST", path, json={"status": "active"}))["status"] == "active"
    return stood - taken


async def paused(operator: Operator, task: Task) -> None:
    """Wait until the house has paused a task for want of a service."""

    async def waits() -> bool:
        found = await operator.house.rows(STANDING, task.id)
        return found == [{"state": "paused", "reason": "all_services_frozen"}]

    await until(waits, PATIENCE)
