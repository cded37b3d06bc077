"""What workflow code may not do: the mistakes that the sandbox lets pass and a replay pays for."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import Module, house, spelled

# These stand beside the workflows and run outside them, in the worker's own loop.
OUTSIDE = {
    "workflows",
    "workflows.engine",
    "workflows.payloads",
    "workflows.runner",
    "workflows.start",
    "workflows.starters",
    "workflows.timetable",
    "workflows.workers",
}
ALLOWED = (
    "asyncio",
    "collections.abc",
    "dataclasses",
    "datetime",
    "typing",
    "temporalio.common",
    "temporalio.workflow",
    "activities.",
    "postroom.contracts.",
    "workflows.policies",
    "workflows.queues",
)
FORBIDDEN = {
    "asyncio.wait": "its answer is a set; use workflow.wait",
    "asyncio.as_completed": "its order is chance; use workflow.as_completed",
    "asyncio.sleep": "a wait has a name in the story; use workflow.sleep with a summary",
    "datetime.now": "use workflow.now",
    "datetime.utcnow": "use workflow.now",
    "datetime.today": "use workflow.now",
    "date.today": "use workflow.now",
    "uuid4": "use workflow.uuid4",
    "uuid1": "use workflow.uuid4",
    "uuid7": "use workflow.uuid4",
}
CHANCE = ("random", "secrets", "time", "uuid", "os", "threading")


def carries(module: Module) -> bool:
    """Whether a module is loaded inside the sandbox."""
    return module.name.startswith("workflows") and module.name not in OUTSIDE


def breaches(module: Module) -> Iterator[str]:
    """Everything in a workflow module that a replay could stumble over."""
    for name in module.imports():
        if name.partition(".")[0] in CHANCE:
            yield f"{module.path}: imports {name}; a replay would see something else"
        elif not name.startswith(ALLOWED) and name not in {"temporalio", "workflows"}:
            yield f"{module.path}: imports {name}; workflows see activities and contracts only"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AugAssign) and any(isinstance(part, ast.Await) for part in ast.walk(node.value)):
            yield module.at(node, "reads before the wait and writes after it; await first, then assign")
        if isinstance(node, ast.Call) and (why := FORBIDDEN.get(".".join(spelled(node.func).split(".")[-2:]))):
            yield module.at(node, f"{spelled(node.func)}: {why}")
        yield from (
            module.at(over, "walks a set, in an order that changes from run to run; sort it first")
            for over in walked(node)
            if is_set(over, module)
        )


def walked(node: ast.AST) -> Iterator[ast.expr]:
    """What a loop or a comprehension goes over."""
    if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        yield node.iter


def is_set(node: ast.expr, module: Module) -> bool:
    """Whether an expression is a set, as far as its own file tells."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return spelled(node.func) in {"set", "frozenset"}
    return spelled(node) in set_names(module)


def set_names(module: Module) -> set[str]:
    """Names and attributes that hold a set, by their annotation or by what is put into them."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assign) and is_plain_set(node.value):
            found |= {spelled(target) for target in node.targets}
        elif isinstance(node, ast.AnnAssign) and says_set(node.annotation):
            found.add(spelled(node.target))
        elif isinstance(node, ast.arg) and node.annotation and says_set(node.annotation):
            found.add(node.arg)
    return found - {""}


def is_plain_set(node: ast.expr) -> bool:
    return isinstance(node, ast.Set | ast.SetComp) or (
        isinstance(node, ast.Call) and spelled(node.func) in {"set", "frozenset"}
    )


def says_set(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).startswith(("set", "frozenset", "Set[", "AbstractSet"))


def test_workflows_are_deterministic() -> None:
    carrying = [module for module in house() if carries(module)]
    assert {"workflows.notification", "workflows.policies", "workflows.queues"} <= {one.name for one in carrying}
    assert [line for module in carrying for line in breaches(module)] == []


def test_no_workflow_hides_among_the_exceptions() -> None:
    assert [module.name for module in house() if module.name in OUTSIDE and "workflow.defn" in module.text] == []


@pytest.mark.parametrize(
    "mistake",
    [
        "self.count += await look()",
        "await asyncio.wait(tasks)",
        "async for one in asyncio.as_completed(tasks): ...",
        "await asyncio.sleep(1)",
        "now = datetime.now(UTC)",
        "now = datetime.datetime.now()",
        "for one in {1, 2}: ...",
        "ids = set(rows); [one for one in ids]",
        "for one in frozenset(rows): ...",
    ],
)
def test_a_mistake_is_noticed(mistake: str) -> None:
    sample = f"async def run(self, rows):\n    {mistake}\n"
    assert list(breaches(Module.of("workflows/sample.py", sample)))


@pytest.mark.parametrize("name", ["import random", "import time", "from uuid import uuid4", "import sqlalchemy"])
def test_an_import_from_outside_is_noticed(name: str) -> None:
    assert list(breaches(Module.of("workflows/sample.py", f"{name}\n")))


def test_sorted_sets_may_be_walked() -> None:
    assert list(breaches(Module.of("workflows/sample.py", "ids = {1, 2}\nfor one in sorted(ids): ...\n"))) == []
