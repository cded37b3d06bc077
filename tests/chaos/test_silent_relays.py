"""kill -9 of the worker when no relay can be asked: nothing is lost, and what may be doubled is named beforehand."""

import pytest

from tests.chaos.caller import Caller
from tests.chaos.house import WORKER, House
from tests.chaos.plans import STOPS
from tests.chaos.report import Report
from tests.chaos.scene import Scene

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

NOBODY_TO_ASK = {"POSTROOM_EVIDENCE_URL": ""}
SENT_AGAIN = ("security", "transactional")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("seed", range(metafunc.config.getoption("rounds")))


async def test_copies_are_bounded_by_open_connections_and_recorded(
    house: House, caller: Caller, seed: int, report: Report
) -> None:
    scene = Scene(house, caller, f"silent-{seed}")
    await house.kill(WORKER)
    await house.start(WORKER, NOBODY_TO_ASK)
    await scene.stand_in_the_sink([stop for stop in STOPS if stop != "mail"], SENT_AGAIN)
    await scene.note_standing()
    connections = house.sink.present
    await house.kill(WORKER)
    await scene.let_go()
    await house.start(WORKER, NOBODY_TO_ASK)
    verdict = await scene.judged()
    await house.kill(WORKER)
    report.add(f"silent-{seed}", "worker, unasked", scene, verdict)
    assert verdict.faults.keys() <= {"duplicates"}
    assert len(verdict.duplicates) <= connections
    assert verdict.duplicates.keys() <= set(verdict.resent)
    assert set(verdict.duplicates.values()) <= {2}
