"""The house's own Python files, read and parsed once, for the tests that look at their shape."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

CHECKOUT = Path(__file__).parents[2]
ROOTS = ("api", "workflows", "activities", "postroom")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file: its path from the checkout, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> Self:
        """Parse a file, or a sample that stands for one."""
        return cls(path, text, ast.parse(text, path))

    @property
    def name(self) -> str:
        """How it is imported: `postroom.channels.base`."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def lines(self) -> int:
        """How long it is."""
        return len(self.text.splitlines())

    def functions(self) -> Iterator[Function]:
        """Every function and method, inner ones included."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def imports(self) -> Iterator[str]:
        """Every module it imports, by its whole name; for `from a import b` that is both `a` and `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def at(self, node: ast.stmt | ast.expr, what: str) -> str:
        """Say what is wrong, and where."""
        return f"{self.path}:{node.lineno}: {what}"


@cache
def house() -> tuple[Module, ...]:
    """Everything that runs in a deployment."""
    return (*_read("worker.py"), *(module for root in ROOTS for module in _read(f"{root}/**/*.py")))


@cache
def suite() -> tuple[Module, ...]:
    """Everything that tests it."""
    return tuple(_read("tests/**/*.py"))


def spelled(node: ast.expr) -> str:
    """The dotted name of a call or an attribute: `asyncio.wait`; empty for anything that has none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        front = spelled(node.value)
        return f"{front}.{node.attr}" if front else node.attr
    return ""


def _read(pattern: str) -> Iterator[Module]:
    for path in sorted(CHECKOUT.glob(pattern)):
        yield Module.of(path.relative_to(CHECKOUT).as_posix(), path.read_text())
