"""What is written is used: a function, class or constant that nothing names is a defect."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import CHECKOUT, Module, house, spelled

# Called by what asyncio calls a protocol, not by us.
CALLED_BY_ASYNCIO = {
    "connection_lost",
    "connection_made",
    "data_received",
    "eof_received",
    "pause_writing",
    "resume_writing",
}


# Called by what Jinja compiles.
CALLED_BY_JINJA = {"call_binop", "call_unop", "getitem"}


def named(module: Module) -> Iterator[str]:
    """Everything a module reads by its name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield from re.findall(r"\w+", node.value)  # an annotation in quotes, a module on a command line


def defined(module: Module) -> Iterator[tuple[ast.stmt, str]]:
    """Functions, classes and constants of a module; what is decorated is used by its decorator."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not (node.decorator_list or node.name.startswith("__") or is_table(node)):
            yield node, node.name
    for statement in module.tree.body:
        if isinstance(statement, ast.Assign):
            yield from ((statement, name) for target in statement.targets if (name := spelled(target)))


def is_table(node: ast.stmt) -> bool:
    """A mapped table is used by being there: the migrations are compared with it."""
    return isinstance(node, ast.ClassDef) and any(spelled(base) == "Table" for base in node.bases)


def unused(modules: tuple[Module, ...]) -> list[str]:
    """Definitions that no module names."""
    names = {name for module in modules for name in named(module)} | CALLED_BY_ASYNCIO | CALLED_BY_JINJA
    return [module.at(node, name) for module in modules for node, name in defined(module) if name not in names]


def test_everything_is_used() -> None:
    migrations = Module.of("migrations/env.py", (CHECKOUT / "migrations/env.py").read_text())
    assert unused((*house(), migrations)) == []


def test_a_leftover_is_noticed() -> None:
    sample = Module.of("sample.py", "LIMIT = 5\nREACH = 6\n\n\ndef carry():\n    return LIMIT\n")
    assert unused((sample,)) == ["sample.py:5: carry", "sample.py:2: REACH"]
