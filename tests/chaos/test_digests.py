"""kill -9 while a digest closes over a hundred events: each is told once, in one digest or on its own."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from postroom.identity import NOTIFICATION, parse_id
from tests.chaos.gates import Gate, Gates
from tests.chaos.house import POSTGRES, TEMPORAL, WORKER, House
from tests.chaos.oracle import ended, judge
from tests.chaos.test_jobs import Desk, open_desk
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

EVENTS = 100
REACH_SECONDS = 20.0
PATIENCE = 60.0

TOLD_IN = """
SELECT n.id, n.state, n.reason, array(SELECT e.detail ->> 'notification' FROM notification_events e
                                      WHERE e.notification_id = n.id AND e.kind = 'digested') AS told_in
FROM notifications n WHERE n.id = ANY(%s)
"""
TELLING = """
SELECT n.id, n.state, (p.metadata ->> 'digest_items')::integer AS items
FROM notifications n JOIN notification_contents p ON p.notification_id = n.id
WHERE n.user_id = %s AND n.origin = 'digest'
"""


async def events(desk: Desk, name: str, numbers: range) -> list[UUID]:
    """Tell one person of so many things at once, each under its key."""
    body = {
        "user_id": name,
        "channel": "email",
        "notification_type": name,
        "title": "It happened",
        "content": "Nothing is lost.",
        "metadata": {"email": f"ok+{name}@example.org"},
    }
    asked = [
        desk.ask("POST", "/notifications", json=body, headers={"Idempotency-Key": f"{name}.{number}"})
        for number in numbers
    ]
    return [parse_id(NOTIFICATION, answer["id"]) for answer in await asyncio.gather(*asked)]


async def open_digests(desk: Desk, name: str) -> list[dict[str, Any]]:
    """Those that gather for this person."""
    return list((await desk.ask("GET", "/digests", params={"user_id": name, "state": "open"}))["items"])


async def close_all(desk: Desk, name: str) -> bool:
    """Close what gathers; whether nothing did."""
    found = await open_digests(desk, name)
    for digest in found:
        await desk.ask("POST", f"/digests/{digest['id']}/close")
    return not found


@pytest.mark.parametrize("victim", [WORKER, TEMPORAL, POSTGRES])
async def test_every_event_is_told_once(house: House, victim: str, pytestconfig: pytest.Config) -> None:
    for seed in range(pytestconfig.getoption("rounds")):
        async with open_desk(house) as desk:
            await play(house, desk, victim, f"digest-{victim}-{seed}")


async def play(house: House, desk: Desk, victim: str, name: str) -> None:
    """Kill the victim when the digest has been worded, while as many events come again, and judge all of them."""
    gates = Gates(house)
    kind = {"group": "activity", "class": "transactional", "defaults": {"frequency": "daily"}}
    await desk.ask("PUT", f"/notification-types/{name}", json=kind)
    first = await events(desk, name, range(EVENTS // 2))

    async def all_wait() -> bool:
        return [one["item_count"] for one in await open_digests(desk, name)] == [len(first)]

    await until(all_wait, PATIENCE)
    await gates.shut(Gate.TELLING)
    await close_all(desk, name)
    async with asyncio.TaskGroup() as group:
        later = group.create_task(events(desk, name, range(len(first), EVENTS)))
        await gates.cut_off(Gate.TELLING, victim, REACH_SECONDS)
    ids = first + later.result()

    async def all_told() -> bool:
        rows = await house.rows(TOLD_IN, ids)
        return await close_all(desk, name) and all(row["state"] != "open" for row in rows)

    await until(all_told, PATIENCE)
    await told_once(house, name, ids)


async def told_once(house: House, name: str, ids: list[UUID]) -> None:
    """Judge: an item names the one digest that counts it, whatever is sent arrived once, and nothing else was."""
    rows, digests = await house.rows(TOLD_IN, ids), await house.rows(TELLING, name)
    await ended(house, [digest["id"] for digest in digests], PATIENCE)
    assert len(rows) == EVENTS
    alone = {row["id"] for row in rows if (row["state"], row["told_in"]) == ("sent", [])}
    told = Counter(row["told_in"][0] for row in rows if row["reason"] == "digested" and len(row["told_in"]) == 1)
    assert len(alone) + told.total() == EVENTS
    assert {parse_id(NOTIFICATION, one): count for one, count in told.items()} == {
        digest["id"]: digest["items"] for digest in digests
    }
    verdict = await judge(house, [*ids, *(digest["id"] for digest in digests)])
    assert not verdict.faults
    assert {digest["state"] for digest in await house.rows(TELLING, name)} == {"sent"}
