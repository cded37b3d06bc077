"""The table that decides about hand-offs nobody answered."""

from datetime import timedelta
from typing import Any

import pytest

from postroom.channels.base import Evidence
from postroom.deliveries.reconciling import decide
from postroom.timing import Timing

TIMING = Timing()
CLOSED = timedelta(0)


def doubtful(**changes: Any) -> dict[str, Any]:
    return {
        "state": "unknown",
        "resends": 0,
        "class": "transactional",
        "cancel_requested": False,
        "over": False,
        "held_out": None,
        "window_left": CLOSED,
        "asked_early": False,
    } | changes


@pytest.mark.parametrize(
    ("row", "evidence", "state", "reason"),
    [
        (doubtful(window_left=timedelta(minutes=3)), Evidence.FOUND, "accepted", "evidence_found"),
        (doubtful(cancel_requested=True), Evidence.FOUND, "accepted", "evidence_found"),
        (doubtful(window_left=timedelta(minutes=3)), Evidence.ABSENT, "unknown", "no_answer"),
        (doubtful(window_left=timedelta(minutes=3)), Evidence.SILENT, "unknown", "no_answer"),
        (doubtful(asked_early=True), Evidence.ABSENT, "unknown", "no_answer"),
        (doubtful(asked_early=True, state="held"), Evidence.ABSENT, "held", "no_answer"),
        (doubtful(asked_early=True), Evidence.SILENT, "pending", "sent_again_by_policy"),
        (doubtful(state="handing_off"), Evidence.FOUND, "accepted", "evidence_found"),
        (doubtful(), Evidence.ABSENT, "pending", "found_absent"),
        (doubtful(state="held"), Evidence.ABSENT, "pending", "found_absent"),
        (doubtful(cancel_requested=True), Evidence.ABSENT, "cancelled", "cancelled"),
        (doubtful(over=True), Evidence.ABSENT, "expired", "expired"),
        (doubtful(), Evidence.SILENT, "pending", "sent_again_by_policy"),
        (doubtful(**{"class": "security"}), Evidence.SILENT, "pending", "sent_again_by_policy"),
        (doubtful(**{"class": "marketing"}), Evidence.SILENT, "held", "no_answer"),
        (doubtful(resends=1), Evidence.SILENT, "held", "no_answer"),
        (doubtful(cancel_requested=True), Evidence.SILENT, "held", "no_answer"),
        (doubtful(over=True), Evidence.SILENT, "held", "no_answer"),
        (doubtful(state="held", held_out=False), Evidence.SILENT, "held", "no_answer"),
        (doubtful(state="held", held_out=True), Evidence.SILENT, "failed", "outcome_unknown"),
    ],
)
def test_decision(row: dict[str, Any], evidence: Evidence, state: str, reason: str) -> None:
    step = decide(row, evidence, TIMING)
    assert step is not None
    assert (step.state, step.reason) == (state, reason)
    assert step.resend == (reason == "sent_again_by_policy")


def test_while_the_window_is_open_the_next_question_comes_when_it_closes() -> None:
    left = timedelta(minutes=3)
    step = decide(doubtful(window_left=left), Evidence.ABSENT, TIMING)
    assert step is not None
    assert step.pause == left


@pytest.mark.parametrize("evidence", [Evidence.ABSENT, Evidence.SILENT])
@pytest.mark.parametrize("left", [timedelta(0), timedelta(minutes=3)])
def test_while_the_sender_may_still_answer_only_a_find_counts(evidence: Evidence, left: timedelta) -> None:
    assert decide(doubtful(state="handing_off", window_left=left), evidence, TIMING) is None
