"""kill -9 of the worker, Temporal and Postgres while a task is sent to many: everybody is accounted for."""

import pytest

from tests.chaos.caller import Caller
from tests.chaos.gates import Gate
from tests.chaos.house import POSTGRES, TEMPORAL, WORKER, House, Told
from tests.chaos.report import Report
from tests.chaos.sieges import Fall, Plan, Siege, drawn

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

KILLED = (WORKER, TEMPORAL, POSTGRES)
IN_TURN = "in turn"
PEOPLE = 20_000

# In one round each falls where it hurts most; the seeds of twenty go everywhere.
ONCE = Plan(
    "siege-in-turn",
    600,
    (
        Fall(WORKER, Gate.FREEZING),
        Fall(POSTGRES, Gate.MARKED),
        Fall(TEMPORAL, Gate.COUNTING),
        Fall(WORKER, "250"),
    ),
)
NOBODY_TO_ASK = {"POSTROOM_EVIDENCE_URL": ""}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "victim" in metafunc.fixturenames:
        metafunc.parametrize("victim", [IN_TURN] if metafunc.config.getoption("rounds") == 1 else KILLED)


def in_pages(report: Report) -> dict[str, str]:
    """Pages so small that the audience is frozen in more than one chunk."""
    return {"POSTROOM_CAMPAIGN_PAGE": str(report.size(10, 100))}


@pytest.fixture
def told(report: Report) -> Told:
    return {WORKER: in_pages(report)}


async def test_everybody_is_told_once_through_kills(house: House, caller: Caller, report: Report, victim: str) -> None:
    plan = ONCE
    if victim != IN_TURN:
        people, kills = report.size(600, PEOPLE), report.size(2, 20)
        plan = drawn(f"siege-{victim}-{people}", people, victim, kills)
    siege = Siege(house, caller, plan)
    verdict = await siege.run()
    report.add(plan.name, victim, siege.scene, verdict)
    assert not verdict.faults


async def test_copies_of_a_task_are_bounded_when_nobody_can_be_asked(
    house: House, caller: Caller, report: Report
) -> None:
    await house.tell(WORKER, in_pages(report) | NOBODY_TO_ASK)
    people, kills = report.size(200, PEOPLE // 2), report.size(1, 10)
    plan = Plan(f"siege-unasked-{people}", people, [Fall(WORKER, "dot")] * kills)
    siege = Siege(house, caller, plan)
    verdict = await siege.run()
    report.add(plan.name, "worker, unasked", siege.scene, verdict)
    report.note(f"{plan.name}, connections", open_at_all_kills=siege.connections)
    # Who is met by a second kill after the copy that policy allows is held, for a person or the end of the hold.
    held = set(verdict.unresolved)
    assert {*verdict.lost, *verdict.denied} <= held <= set(verdict.resent)
    assert verdict.faults.keys() <= {"duplicates"} or held
    assert len(verdict.duplicates) <= siege.connections
    assert verdict.duplicates.keys() <= set(verdict.resent)
    assert set(verdict.duplicates.values()) <= {2}
