"""No option that nothing reads, and nothing built while a module is imported."""

import ast
import re
from dataclasses import fields

import pytest

from postroom.settings import Settings
from postroom.timing import Timing
from tests.architecture.source import Module, house, spelled

BUILT = re.compile(r"(Settings|[Ee]ngine|Client|Pool|Database|Connection|Session|Resources|FastAPI|connect)$")


def reads(tree: ast.AST) -> set[str]:
    """Names of the attributes that are read somewhere in a tree."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def read_in_the_house(defined_in: str) -> set[str]:
    """Attributes read outside a module, and those its own methods read on behalf of a caller.

    The local stack and the mailbox have settings of their own, under some of the same names.
    """
    rooms = [one for one in house() if not one.name.startswith(("postroom.local", "postroom.mailbox"))]
    outside = {name for module in rooms if module.name != defined_in for name in reads(module.tree)}
    [home] = [module for module in rooms if module.name == defined_in]
    by_proxy = {name for one in home.functions() if one.name in outside for name in reads(one)}
    return outside | by_proxy


def built_at_import(module: Module) -> list[str]:
    """Engines, clients and settings that exist before a composition root asked for them."""
    return [
        module.at(node, f"{spelled(node.value.func)} is built at import")
        for node in module.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and BUILT.search(spelled(node.value.func))
    ]


def test_every_wait_is_read() -> None:
    assert {field.name for field in fields(Timing)} - read_in_the_house("postroom.timing") == set()


def test_every_setting_is_read() -> None:
    assert set(Settings.model_fields) - read_in_the_house("postroom.settings") == set()


def test_nothing_is_built_while_modules_are_imported() -> None:
    assert [line for module in house() for line in built_at_import(module)] == []


@pytest.mark.parametrize(
    "built", ["create_async_engine(url)", "httpx2.AsyncClient()", "Settings()", "psycopg.connect(x)"]
)
def test_a_module_level_part_is_noticed(built: str) -> None:
    assert built_at_import(Module.of("sample.py", f"part = {built}\n"))
    assert not built_at_import(Module.of("sample.py", f"def part():\n    return {built}\n"))
