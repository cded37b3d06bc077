"""Every test can fail, and few of them pretend."""

import ast
from collections.abc import Iterable

import pytest

from tests.architecture.source import Function, Module, spelled, suite

PRETENDS = {"Mock", "MagicMock", "AsyncMock", "patch", "setattr", "setitem"}
MOCKS_PER_TEST = 0.3


def judges(function: Function, judging: Iterable[str] = ()) -> bool:
    """Whether a function can fail a test: by itself, or through one that is known to."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        name = spelled(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        if name in {"raises", "warns", "fail"} or name in judging:
            return True
    return False


def judging_names(modules: Iterable[Module]) -> set[str]:
    """Names of functions of the tests that judge, also through one another."""
    functions = [one for module in modules for one in module.functions()]
    found: set[str] = set()
    while more := {one.name for one in functions if one.name not in found and judges(one, found)}:
        found |= more
    return found


def is_test(function: Function) -> bool:
    return function.name.startswith("test_")


def test_every_test_can_fail() -> None:
    judging = judging_names(suite())
    cannot = [
        module.at(one, one.name)
        for module in suite()
        for one in module.functions()
        if is_test(one) and not judges(one, judging)
    ]
    assert cannot == []


def test_every_test_file_holds_suite() -> None:
    files = [module for module in suite() if module.path.rpartition("/")[2].startswith("test_")]
    assert [module.path for module in files if not any(is_test(one) for one in module.functions())] == []


def test_few_tests_pretend() -> None:
    calls = [node for module in suite() for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    mocks = sum(spelled(call.func).rpartition(".")[2] in PRETENDS for call in calls)
    count = sum(is_test(one) for module in suite() for one in module.functions())
    print(f"{mocks} mocks in {count} tests")  # noqa: T201 - the figure is the point
    assert mocks < MOCKS_PER_TEST * count


@pytest.mark.parametrize(
    ("body", "can_fail"),
    [("carry()", False), ("assert carry()", True), ("with pytest.raises(Held): carry()", True), ("check(1)", True)],
)
def test_a_test_that_cannot_fail_is_noticed(body: str, can_fail: bool) -> None:  # noqa: FBT001
    sample = Module.of("sample.py", f"def check(x):\n    assert x\ndef test_it():\n    {body}\n")
    [test] = [one for one in sample.functions() if is_test(one)]
    assert judges(test, judging_names([sample])) is can_fail
