"""A rule's statement finds whom the rule finds when it is read aloud, and nobody else's people."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings

from postroom.audiences.rules import compile_rule
from postroom.database.engine import Database
from postroom.identity import TASK, new_id, parse_id
from tests.audiences.plain import Somebody, finds
from tests.audiences.world import NAMES, RULES, TAGS, TASKS, found, people, settle
from tests.fixtures.database import make_tenants

EXAMPLES = round(float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1")) * 400)


# All that is spelt out in statements: states, kinds and types of ours.
WORDS = {f"'{word}'" for word in ("accepted", "rejected", "failed", "expired", "open", "click", "-", "{}")} | {
    f"'{word}'" for word in ("string", "number", "array", "null")
}


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


@settings(max_examples=EXAMPLES // 4)
@given(rule=RULES)
async def test_no_text_of_a_rule_is_in_its_statement(rule: Any) -> None:
    selection = compile_rule(rule, new_id())
    assert re.findall(r"%\((\w+)\)s", selection.sql).count("rule_0") == 1
    assert set(re.findall(r"%\((\w+)\)s", selection.sql)) == selection.parameters.keys()
    assert [word for word in (*NAMES, *TAGS) if word != "age" and word in selection.sql] == []  # as in language
    assert set(re.findall(r"'[^']*'", selection.sql)) <= WORDS


async def test_a_statement_is_continued_from_person_to_person(database: Database, town: Town) -> None:
    rule = {"any": [{"tags": {"any": ["vip"]}}, {"language": ["en"]}]}
    selection = compile_rule(rule, town.tenant_id)
    statement = f"""
        SELECT k.user_id FROM contacts k
        WHERE {selection.sql} AND k.user_id > %(after)s ORDER BY k.user_id LIMIT %(count)s
    """
    names = [""]
    async with database.tenant_transaction(town.tenant_id) as connection:
        while True:
            named = {**selection.parameters, "after": names[-1], "count": 7}
            rows = await (await connection.execute(statement, named)).fetchall()
            names += [row["user_id"] for row in rows]
            if len(rows) < 7:
                break
    assert names[1:] == await found(database, town.tenant_id, rule) != []
