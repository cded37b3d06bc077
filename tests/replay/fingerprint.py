"""The order of a workflow's commands, read from its source: `python -m tests.replay.fingerprint` writes it down."""

import ast
import inspect
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from workflows.campaign import CampaignWorkflow
from workflows.contact_files import ContactExportWorkflow, ContactImportWorkflow
from workflows.digest import DigestWorkflow
from workflows.notification import NotificationWorkflow
from workflows.schedule import ScheduleWorkflow
from workflows.sequence import SequenceWorkflow

WORKFLOWS = (
    NotificationWorkflow,
    DigestWorkflow,
    ScheduleWorkflow,
    SequenceWorkflow,
    ContactImportWorkflow,
    ContactExportWorkflow,
    CampaignWorkflow,
)
FILE = Path(__file__).parent / "fingerprints.json"

COMMANDS = frozenset(
    {
        "continue_as_new",
        "deprecate_patch",
        "execute_activity",
        "execute_activity_method",
        "execute_child_workflow",
        "execute_local_activity",
        "execute_local_activity_method",
        "patched",
        "random",
        "sleep",
        "start_activity",
        "start_activity_method",
        "start_child_workflow",
        "start_local_activity",
        "start_local_activity_method",
        "upsert_memo",
        "upsert_search_attributes",
        "uuid4",
        "wait_condition",
    }
)
TAKES_A_NAME = ("execute_", "start_", "patched", "deprecate_patch")

Fingerprint = dict[str, dict[str, list[str]]]


def fingerprints(workflows: Sequence[type] = WORKFLOWS) -> Fingerprint:
    """Commands of each workflow, method by method, in the order in which they are written."""
    return {workflow.__name__: of_source(inspect.getsource(workflow)) for workflow in workflows}


def of_source(source: str) -> dict[str, list[str]]:
    """Commands of one class; calls of its own methods stand for the commands inside them."""
    [holder] = ast.parse(source).body
    assert isinstance(holder, ast.ClassDef)
    methods = [one for one in holder.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    own = {one.name for one in methods}
    found = {one.name: list(commands(one, own)) for one in methods}
    return {name: steps for name, steps in found.items() if steps}


def commands(method: ast.AST, own: set[str]) -> Iterator[str]:
    """What a method asks of the engine, in source order."""
    calls = [node for node in ast.walk(method) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        assert isinstance(call.func, ast.Attribute)
        owner, name = ast.unparse(call.func.value), call.func.attr
        if owner == "workflow" and name in COMMANDS:
            named = name.startswith(TAKES_A_NAME) and call.args
            yield f"{name} {ast.unparse(call.args[0])}" if named else name
        elif owner == "self" and name in own:
            yield f"self.{name}"


def main() -> None:
    """Write the fingerprints of today's code."""
    FILE.write_text(json.dumps(fingerprints(), indent=2) + "\n")


if __name__ == "__main__":
    main()
