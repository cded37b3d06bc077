"""A worker that stands still past its leases, and wakes up when another one has done its work."""

import asyncio

import pytest

from tests.chaos.caller import Caller
from tests.chaos.gates import Gate
from tests.chaos.house import SECOND_WORKER, WORKER, House
from tests.chaos.oracle import ended
from tests.chaos.plans import STOPS
from tests.chaos.report import Report
from tests.chaos.scene import END_SECONDS, Scene

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

AFTERLIFE_SECONDS = 2.0
STATEMENTS = (Gate.MARKING, Gate.CLAIMING, Gate.RECORDING)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("seed", range(metafunc.config.getoption("rounds")))


async def test_a_frozen_worker_wakes_up_when_all_is_done(
    house: House, caller: Caller, seed: int, report: Report
) -> None:
    """It stands in the middle of conversations and of a statement, which is carried out while it cannot hear of it."""
    name, gate = f"zombie-{seed}", STATEMENTS[seed % len(STATEMENTS)]
    scene = Scene(house, caller, name)
    await scene.stand_in_the_sink([stop for stop in STOPS if stop != "mail"])
    await scene.stand_at(gate)
    await scene.note_standing()
    house.freeze(WORKER)
    await scene.let_go()
    await house.start(SECOND_WORKER)
    await ended(house, scene.ids, END_SECONDS)
    house.thaw(WORKER)
    await asyncio.sleep(AFTERLIFE_SECONDS)
    verdict = await scene.judged()
    report.add(name, "frozen worker", scene, verdict)
    assert not verdict.faults
