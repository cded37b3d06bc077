"""Saved audiences: rules by name, copied into whatever names them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.audiences.draft import at, text
from postroom.audiences.references import check_references
from postroom.audiences.rules import DEPTH, ROOT, compile_rule
from postroom.database.engine import Connection, Database
from postroom.errors import FieldError, Invalid, NotFound

NAME = "audience"
COLUMNS = "name, description, rule, created_at, updated_at"
LIST = f"""
SELECT {COLUMNS} FROM audiences WHERE tenant_id = %(tenant_id)s AND name > %(after)s ORDER BY name LIMIT %(count)s
"""
READ = f"SELECT {COLUMNS} FROM audiences WHERE tenant_id = %(tenant_id)s AND name = %(name)s"
WRITE = f"""
INSERT INTO audiences (tenant_id, name, description, rule)
VALUES (%(tenant_id)s, %(name)s, %(description)s, %(rule)s)
ON CONFLICT (tenant_id, name) DO UPDATE
    SET description = excluded.description, rule = excluded.rule, updated_at = now()
RETURNING {COLUMNS}, old.name IS NULL AS is_new
"""
REMOVE = "DELETE FROM audiences WHERE tenant_id = %(tenant_id)s AND name = %(name)s"
RULES = "SELECT name, rule FROM audiences WHERE tenant_id = %(tenant_id)s AND name = ANY(%(names)s)"


@dataclass(frozen=True, slots=True)
class SavedAudience:
    """A rule with a name."""

    name: str
    description: str | None
    rule: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


class SavedAudiences:
    """Saved audiences of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant_id: UUID, window: tuple[str, int]) -> tuple[Sequence[SavedAudience], str | None]:
        """Return audiences by name, and the name the next page starts behind."""
        after, limit = window
        async with self._database.tenant_transaction(tenant_id) as connection:
            named = {"tenant_id": tenant_id, "after": after, "count": limit + 1}
            found = [SavedAudience(**row) async for row in await connection.execute(LIST, named)]
        return found[:limit], found[limit - 1].name if len(found) > limit else None

    async def get(self, tenant_id: UUID, name: str) -> SavedAudience:
        """Return an audience, or raise NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            named = {"tenant_id": tenant_id, "name": name}
            row = await (await connection.execute(READ, named)).fetchone()
        if row is None:
            raise _unknown()
        return SavedAudience(**row)

    async def put(
        self, tenant_id: UUID, name: str, rule: Mapping[str, Any], description: str | None
    ) -> tuple[SavedAudience, bool]:
        """Write an audience, with the rules of those it names; True when it is new.

        Raises:
            Invalid: the rule is wrong, or it names people one by one: a tag does that, and goes with the person.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            whole = await expanded(connection, tenant_id, rule)
            await check_references(connection, compile_rule(whole, tenant_id))
            if places := [place for _, place in _conditions(whole, "user_ids")]:
                raise Invalid.at(places[0], "people_by_name", "Give these people a tag, and name that.")
            named = {"tenant_id": tenant_id, "name": name, "description": description, "rule": Jsonb(whole)}
            [row] = await (await connection.execute(WRITE, named)).fetchall()
        is_new = bool(row.pop("is_new"))
        return SavedAudience(**row), is_new

    async def remove(self, tenant_id: UUID, name: str) -> None:
        """Delete an audience, or raise NotFound; what named it has its rule already."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            if (await connection.execute(REMOVE, {"tenant_id": tenant_id, "name": name})).rowcount == 0:
                raise _unknown()


async def expanded(connection: Connection, tenant_id: UUID, rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a rule with the rules of the audiences it names in their place, as they stand now: for `compile_rule`.

    Raises:
        Invalid: there is no such audience (`audience_not_found`).
    """
    named = list(_conditions(rule, NAME))
    if not named:
        return rule
    names = [text(name, place) for name, place in named]
    found = await connection.execute(RULES, {"tenant_id": tenant_id, "names": names})
    rules = {row["name"]: row["rule"] async for row in found}
    errors = [
        FieldError(place, "audience_not_found", "There is no such audience.")
        for name, place in named
        if name not in rules
    ]
    if errors:
        raise Invalid(errors[0].detail, code=errors[0].code, errors=errors)
    whole: Mapping[str, Any] = _with(rule, rules)
    return whole


def _conditions(rule: object, wanted: str, place: str = ROOT, depth: int = 1) -> Iterator[tuple[object, str]]:
    """Find conditions of one name, as deep as a rule may be: what each says, and where it stands."""
    if not isinstance(rule, dict) or depth > DEPTH:
        return
    for name, value in rule.items():
        here = at(place, name)
        if name == wanted:
            yield value, here
        elif name == "not":
            yield from _conditions(value, wanted, here, depth + 1)
        elif name in ("all", "any") and isinstance(value, list):
            for number, part in enumerate(value):
                yield from _conditions(part, wanted, f"{here}/{number}", depth + 1)


def _with(rule: Any, rules: Mapping[str, Any], depth: int = 1) -> Any:  # noqa: ANN401 - JSON, whatever it is
    if not isinstance(rule, dict) or depth > DEPTH:
        return rule
    if rule.keys() == {NAME}:
        return rules[rule[NAME]]
    whole = dict(rule)
    for name, value in rule.items():
        if name == "not":
            whole[name] = _with(value, rules, depth + 1)
        elif name in ("all", "any") and isinstance(value, list):
            whole[name] = [_with(part, rules, depth + 1) for part in value]
    return whole


def _unknown() -> NotFound:
    return NotFound("There is no such audience.")
