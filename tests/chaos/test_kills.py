"""kill -9 of the worker, the API, Temporal and Postgres at every named barrier."""

import pytest

from tests.chaos.caller import Caller
from tests.chaos.house import House
from tests.chaos.plans import Plan, plans
from tests.chaos.report import Report
from tests.chaos.rounds import play
from tests.chaos.scene import Scene

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = plans(metafunc.config.getoption("rounds"))
    metafunc.parametrize("plan", every, ids=[plan.name for plan in every])


async def test_nothing_is_lost_or_sent_twice(house: House, caller: Caller, plan: Plan, report: Report) -> None:
    scene = Scene(house, caller, plan.name)
    verdict = await play(scene, plan)
    report.add(plan.name, plan.victim, scene, verdict)
    assert not verdict.faults
