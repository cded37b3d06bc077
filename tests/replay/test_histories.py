"""What was open yesterday runs on today's code: golden histories, replayed in the sandbox the worker uses."""

import base64
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from postroom.contracts import campaigns, carriers, contact_files, digests, recurring
from postroom.contracts.vocabulary import DeliveryState, NotificationState
from postroom.digests.service import DigestState
from postroom.sequences.models import StepState
from tests.replay.fingerprint import WORKFLOWS
from tests.replay.histories import content, names, values
from workflows.runner import workflow_runner

SHAPES = [
    "carried_again",
    "continued",
    "digest_by_hand",
    "digest_page",
    "digest_told",
    "exported",
    "fell_back",
    "fired",
    "gone_through",
    "grown_long",
    "hurried",
    "imported",
    "retried",
    "scheduled",
    "sent_at_once",
    "stopped",
    "task_continued",
    "task_sent",
    "task_steered",
    "terminated",
    "triggered",
]
# How the engine notes a local activity beside its result.
NOTES = {
    "activation_index",
    "activity_id",
    "activity_type",
    "attempt",
    "backoff",
    "complete_time",
    "original_schedule_time",
    "seq",
}


def replayer() -> Replayer:
    return Replayer(
        workflows=WORKFLOWS,
        workflow_runner=workflow_runner(),
        data_converter=pydantic_data_converter,
    )


def payloads(name: str) -> Iterator[Any]:
    """Everything that was said through the engine, decoded."""
    for data in values(content(name), "data"):
        if isinstance(data, str):
            yield json.loads(base64.b64decode(data))


def known_fields() -> set[str]:
    """Names a payload may hold: those of the contracts, and states that are counted."""
    contracts = (campaigns, carriers, contact_files, digests, recurring)
    said = [one for module in contracts for one in vars(module).values()]
    parts = [one for one in said if isinstance(one, type) and is_dataclass(one)]
    states = {str(state) for state in (*NotificationState, *DeliveryState, *DigestState, *StepState)}
    return {field.name for part in parts for field in fields(part)} | states


def test_every_shape_is_kept() -> None:
    assert names() == SHAPES


@pytest.mark.parametrize("name", names())
async def test_a_run_of_yesterday_replays(name: str) -> None:
    result = await replayer().replay_workflow(WorkflowHistory.from_json(name, content(name)))
    assert result.replay_failure is None


def renamed(recorded: dict[str, Any]) -> dict[str, Any]:
    """A history whose activities had other names, those that are local to the workflow too."""
    for kind in values(recorded, "activityType"):
        kind["name"] = "send_page"
    for details in values(recorded, "details"):
        for payload in details.get("data", {}).get("payloads", ()):
            marker = {**json.loads(base64.b64decode(payload["data"])), "activity_type": "peek"}
            payload["data"] = base64.b64encode(json.dumps(marker).encode()).decode()
    return recorded


@pytest.mark.parametrize("name", ["retried", "fell_back", "task_sent", "digest_told", "fired", "gone_through"])
async def test_another_command_is_noticed(name: str) -> None:
    changed = renamed(content(name))
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json(name, changed))


@pytest.mark.parametrize("name", names())
def test_histories_hold_ids_and_counts_only(name: str) -> None:
    said = [one for one in payloads(name) if isinstance(one, dict)]
    assert said
    keys = {key for one in said for key in (*one, *(inner for part in values(one, "counts") for inner in part))}
    assert keys - known_fields() - NOTES == set()


@pytest.mark.parametrize("name", names())
def test_histories_name_no_person_and_no_machine(name: str) -> None:
    text = json.dumps(content(name)) + "".join(json.dumps(one) for one in payloads(name))
    for secret in ("@", "ada-lovelace", "Hello", "A word from us", "/home", "/root", "/tmp"):  # noqa: S108 - looked for, not used
        assert secret not in text
