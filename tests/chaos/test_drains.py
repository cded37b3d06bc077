"""kill -9 of the worker, the API, Temporal and Postgres while thousands drain as pages."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.chaos.caller import Caller
from tests.chaos.drains import BARRIERS, Drain, Plan
from tests.chaos.house import API, POSTGRES, TEMPORAL, WORKER, House, Told
from tests.chaos.report import Report

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

NOBODY_TO_ASK = {"POSTROOM_EVIDENCE_URL": ""}


def planned(name: str, victim: str, report: Report, barriers: Sequence[str]) -> Plan:
    return Plan(f"{name}-{report.size(300, 10_000)}", victim, report.size(300, 10_000), report.size(2, 20), barriers)


def in_pages(report: Report) -> dict[str, str]:
    return {"POSTROOM_PAGE_SIZE": str(report.size(50, 500))}


@pytest.fixture
def told(report: Report) -> Told:
    return {WORKER: in_pages(report)}


@pytest.mark.parametrize("victim", [WORKER, API, TEMPORAL, POSTGRES])
async def test_a_backlog_drains_through_kills(house: House, caller: Caller, report: Report, victim: str) -> None:
    drain = Drain(house, caller, planned(f"drain-{victim}", victim, report, BARRIERS[victim]))
    verdict = await drain.run()
    report.add(drain.scene.name, victim, drain.scene, verdict)
    assert not verdict.faults
    assert await drain.pages() >= report.size(6, 20)


async def test_copies_are_bounded_when_nobody_can_be_asked(house: House, caller: Caller, report: Report) -> None:
    await house.tell(WORKER, in_pages(report) | NOBODY_TO_ASK)
    unasked = replace(planned("drain-unasked", WORKER, report, BARRIERS[WORKER]), asked=False)
    drain = Drain(house, caller, unasked)
    verdict = await drain.run()
    report.add(drain.scene.name, "worker, unasked", drain.scene, verdict)
    # Who is met by a second kill after its re-send is held, for a person or the end of the hold to decide.
    held = set(verdict.unresolved)
    assert {*verdict.lost, *verdict.denied} <= held <= set(verdict.resent)
    assert verdict.faults.keys() <= {"duplicates", "lost", "denied", "unresolved"}
    assert len(verdict.duplicates) <= drain.connections
    assert verdict.duplicates.keys() <= set(verdict.resent)
    assert set(verdict.duplicates.values()) <= {2}
