"""SIGTERM in the middle of hand-offs: the worker ends by itself, and nobody has to ask what became of anything."""

import asyncio

import pytest

from tests.chaos.caller import Caller
from tests.chaos.house import WORKER, House
from tests.chaos.scene import Scene

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

LET_GO_AFTER_SECONDS = 0.3


async def test_a_draining_worker_finishes_what_it_has_begun(house: House, caller: Caller) -> None:
    scene = Scene(house, caller, "drain")
    await scene.stand_in_the_sink(["250", "dot", "354", "data", "rcpt"])
    await scene.send_crowd()
    ending = asyncio.create_task(house.stop(WORKER))
    await asyncio.sleep(LET_GO_AFTER_SECONDS)
    await scene.let_go()
    assert await ending == 0
    leased = "SELECT state FROM deliveries WHERE notification_id = ANY(%s) AND state IN ('claimed', 'handing_off')"
    assert await house.rows(leased, scene.ids) == []
    await house.start(WORKER)
    verdict = await scene.judged()
    assert not verdict.faults
    assert verdict.unknown == {}
