"""How long files and functions are, and how many arguments they take: printed, and held."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

import pytest

from tests.architecture.source import Function, Module, house, spelled, suite

EMPTY = 3  # a package's face says nothing about how long files are
ARGUMENTS = 4


@dataclass(frozen=True, slots=True)
class Measure:
    """The middle, the long ones and the longest of something counted in lines."""

    median: float
    p95: float
    longest: int

    @classmethod
    def of(cls, counts: Sequence[int]) -> "Measure":
        return cls(median(counts), quantiles(counts, n=20)[-1], max(counts))


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def arguments(function: Function) -> int:
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def parts_of_requests(module: Module) -> set[str]:
    """Routes and what they depend on: FastAPI fills their parameters from a request, nobody writes the call."""
    found = {
        function.name
        for function in module.functions()
        if any(isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) for one in function.decorator_list)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and spelled(node.func) == "Depends":
            found |= {spelled(argument) for argument in node.args}
    return found


def overloaded(module: Module) -> list[str]:
    free = {"__init__"} | (parts_of_requests(module) if module.name.startswith("api") else set())
    return [
        module.at(function, f"{function.name} takes {arguments(function)} arguments")
        for function in module.functions()
        if function.name not in free and arguments(function) > ARGUMENTS
    ]


@pytest.mark.parametrize("rooms", [house, suite])
def test_files_and_functions_are_short(rooms: Callable[[], Sequence[Module]]) -> None:
    modules = rooms()
    files = Measure.of([module.lines for module in modules if module.lines > EMPTY])
    functions = Measure.of([length(one) for module in modules for one in module.functions()])
    print(f"files {files}\nfunctions {functions}")  # noqa: T201 - the figures are the point
    assert files.median <= 100
    assert files.p95 <= 300
    assert functions.median <= 10
    assert functions.p95 <= 35


def test_no_file_holds_a_second_idea() -> None:
    assert [f"{module.path} has {module.lines} lines" for module in house() if module.lines > 300] == []


def test_functions_take_at_most_four_arguments() -> None:
    assert [line for module in house() for line in overloaded(module)] == []


def test_a_function_of_five_arguments_is_noticed() -> None:
    assert overloaded(Module.of("sample.py", "def carry(a, b, c, *, d, e): ...\n"))
    assert not overloaded(Module.of("sample.py", "class Desk:\n    def __init__(self, a, b, c, d, e): ...\n"))
