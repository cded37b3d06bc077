"""A rule's statement finds whom the rule finds when it is read aloud, and nobody else's people."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings

from postroom.database.engine import Database
from postroom.identity import TASK, new_id, parse_id
from tests.audiences.plain import Somebody, finds
from tests.audiences.world import RULES, TASKS, found, people, settle
from tests.fixtures.database import make_tenants

EXAMPLES = round(float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1")) * 400)


@dataclass(frozen=True, slots=True, repr=False)
class Town:
    """A tenant and its people."""

    tenant_id: UUID
    everybody: Sequence[Somebody]


@pytest.fixture(scope="module")
async def town(database: Database) -> Town:
    """A tenant with people, beside one with others of the same names and the same past."""
    both, everybody = await make_tenants(database), people()
    await settle(database, both.alice.id, everybody, {name: parse_id(TASK, name) for name in TASKS})
    await settle(database, both.decoy.id, people(7), {name: new_id() for name in TASKS})
    return Town(both.alice.id, everybody)


@settings(max_examples=EXAMPLES)
@given(rule=RULES)
async def test_the_statement_finds_whom_the_rule_finds(database: Database, town: Town, rule: Any) -> None:
    wanted = [one.user_id for one in town.everybody if finds(rule, one)]
    assert await found(database, town.tenant_id, rule) == wanted
