"""The tables of settings name every variable and its default, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from postroom.channels.email.presets import PRESETS
from postroom.local.settings import LocalSettings
from postroom.settings import Settings
from tests.docs.pages import page

OPERATIONS = page("docs/operations.md")
TABLES = [table for table in OPERATIONS.tables() if table[0][0].endswith("`") and len(table[0]) == 3]


def rows(settings: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """What a table should say: variable and default."""
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        variable = alias.choices[0] if isinstance(alias, AliasChoices) else f"{prefix}{name}".upper()
        yield f"`{variable}`", default(field)


def default(field: FieldInfo) -> str:
    """A default as it would be written into the environment."""
    if field.is_required():
        return "required"
    value: Any = field.default
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@pytest.mark.parametrize(("number", "settings"), [(0, Settings), (1, LocalSettings)])
def test_the_table_says_what_is_so(number: int, settings: type[BaseSettings]) -> None:
    assert [tuple(row[:2]) for row in TABLES[number]] == list(rows(settings))


def test_every_line_says_what_it_is_for() -> None:
    assert all(len(row) == 3 and row[2] for table in TABLES for row in table)


def test_every_preset_is_named() -> None:
    _, _, listed = OPERATIONS.text.partition("Presets: ")
    names = " ".join(listed.partition(".\n")[0].split()).split(", ")
    assert names == list(PRESETS)


def test_a_default_is_spelled_as_the_environment_wants_it() -> None:
    assert default(FieldInfo(default=True)) == "`true`"
    assert default(FieldInfo(default=Path(".data"))) == "`.data`"
    assert default(FieldInfo(default=None)) == "none"
    assert default(FieldInfo()) == "required"
