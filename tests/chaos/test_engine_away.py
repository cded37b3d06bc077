"""Temporal is down, or frozen: accepting does not notice, and everything is carried in order of priority afterwards."""

import time
from collections.abc import Sequence
from uuid import UUID

import pytest

from tests.chaos.caller import Caller, Letter
from tests.chaos.house import TEMPORAL, WORKER, House
from tests.chaos.oracle import ended, judge
from tests.chaos.scene import PRIORITIES
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

PER_PRIORITY = 30
LAST_FIRST = tuple(reversed(PRIORITIES))
KNOWN_AWAY = "Temporal does not answer"
PATIENCE = 60.0

HANDED_OVER = """
SELECT c.priority FROM carriers c JOIN notifications n ON n.carrier_id = c.id WHERE n.id = ANY(%s)
GROUP BY c.id ORDER BY c.created_at, c.priority
"""


def letters(name: str) -> list[Letter]:
    """As many of each priority, the least urgent first."""
    return [Letter(f"{name}.{priority}.{n}", priority=priority) for priority in LAST_FIRST for n in range(PER_PRIORITY)]


async def timed(caller: Caller, these: Sequence[Letter]) -> tuple[list[UUID], float]:
    began = time.monotonic()
    ids = await caller.send_all(these)
    return ids, time.monotonic() - began


async def handed_over(house: House, ids: Sequence[UUID]) -> list[int]:
    """The priorities in the order in which the relay gave these their carriers."""
    return [row["priority"] for row in await house.rows(HANDED_OVER, list(ids))]


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_accepting_goes_on_and_drains_in_order(house: House, caller: Caller, how: str) -> None:
    before, usual = await timed(caller, letters(f"before-{how}"))
    await ended(house, before, PATIENCE)
    if how == "killed":
        await house.kill(TEMPORAL)
    else:
        house.freeze(TEMPORAL)
    canary = await caller.send(Letter(f"canary-{how}", priority="low"))

    async def known_away() -> bool:
        return KNOWN_AWAY in house.said(WORKER)

    await until(known_away, PATIENCE)
    during, taken = await timed(caller, letters(f"during-{how}"))
    if how == "killed":
        await house.start(TEMPORAL)
    else:
        house.thaw(TEMPORAL)
    everything = [*before, canary, *during]
    await ended(house, everything, PATIENCE)
    verdict = await judge(house, everything)
    assert not verdict.faults
    assert taken < usual * 3 + 1
    order = await handed_over(house, during)
    assert order == sorted(order)
