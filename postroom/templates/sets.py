"""Template sets: templates in an order, to take turns or to follow one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, FieldError, Invalid, NotFound
from postroom.identity import TEMPLATE_SET, new_id, parse_id, public_id
from postroom.notifications.replay import named_before
from postroom.notifications.request import IdempotencyKey
from postroom.templates import repository
from postroom.templates.records import Ref
from postroom.templates.repository import Window

COLUMNS = "id, name, entries, created_at, updated_at"
NAMED = """id = (SELECT coalesce(%(id)s, (
    SELECT o.id FROM template_sets o WHERE o.tenant_id = %(tenant_id)s AND o.name = %(name)s)))"""
FIND = f"SELECT {COLUMNS} FROM template_sets WHERE {NAMED}"
LIST = f"""
SELECT {COLUMNS} FROM template_sets WHERE tenant_id = %(tenant_id)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
ORDER BY id DESC LIMIT %(count)s
"""
ADD = f"""
INSERT INTO template_sets (id, tenant_id, name, entries) VALUES (%(id)s, %(tenant_id)s, %(name)s, %(entries)s)
ON CONFLICT (tenant_id, name) DO NOTHING RETURNING {COLUMNS}
"""
REPLACE = f"""
UPDATE template_sets SET name = %(new_name)s, entries = %(entries)s, updated_at = now() WHERE {NAMED}
RETURNING {COLUMNS}
"""
REMOVE = f"DELETE FROM template_sets WHERE {NAMED}"


@dataclass(frozen=True, slots=True)
class Turn:
    """One entry as a caller names it; a sequence waits for `delay` before it."""

    template: str
    delay: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a set."""

    template_id: UUID
    delay: timedelta | None

    @property
    def stored(self) -> dict[str, Any]:
        """What the database keeps: the id, and the delay in seconds."""
        seconds = self.delay.total_seconds() if self.delay is not None else None
        return {"template_id": self.template_id.hex, "delay": seconds}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read what the database keeps."""
        seconds = stored["delay"]
        return cls(UUID(hex=stored["template_id"]), None if seconds is None else timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """A set of templates, in order."""

    id: UUID
    name: str
    entries: Sequence[Entry]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read a row."""
        return cls(**{**row, "entries": [Entry.read(one) for one in row["entries"]]})


class TemplateSets:
    """Template sets of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, tenant_id: UUID, name: str, turns: Sequence[Turn], key: IdempotencyKey | None
    ) -> tuple[TemplateSet, bool]:
        """Make a set; the second value tells whether an earlier request under the key made it.

        Raises:
            Invalid: an entry names no template of the tenant.
            Conflict: the tenant has a set of this name.
        """
        made = new_id()
        async with self._database.tenant_transaction(tenant_id) as connection:
            if earlier := await named_before(connection, tenant_id, key, {"notification_id": made}):
                return await found_set(connection, tenant_id, public_id(TEMPLATE_SET, earlier.id)), True
            values = {"id": made, "tenant_id": tenant_id, "name": name}
            values |= {"entries": await _entries(connection, tenant_id, turns)}
            row = await (await connection.execute(ADD, values)).fetchone()
        if row is None:
            raise _taken()
        return TemplateSet.of(row), False

    async def get(self, tenant_id: UUID, ref: str) -> TemplateSet:
        """Return a set by id or name, or raise NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await found_set(connection, tenant_id, ref)

    async def page(self, tenant_id: UUID, window: Window) -> Sequence[TemplateSet]:
        """Return sets, newest first."""
        asked = {"tenant_id": tenant_id, "after": window[0], "count": window[1]}
        async with self._database.tenant_transaction(tenant_id) as connection:
            return [TemplateSet.of(row) async for row in await connection.execute(LIST, asked)]

    async def replace(self, tenant_id: UUID, ref: str, name: str, turns: Sequence[Turn]) -> TemplateSet:
        """Replace a set as a whole; raises NotFound, and what `add` does."""
        try:
            async with self._database.tenant_transaction(tenant_id) as connection:
                await found_set(connection, tenant_id, ref)
                values = _named(tenant_id, ref) | {"new_name": name}
                values |= {"entries": await _entries(connection, tenant_id, turns)}
                row = await (await connection.execute(REPLACE, values)).fetchone()
        except UniqueViolation:
            raise _taken() from None
        if row is None:
            raise _unknown()
        return TemplateSet.of(row)

    async def remove(self, tenant_id: UUID, ref: str) -> None:
        """Delete a set; what was accepted with it has its template already."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            if (await connection.execute(REMOVE, _named(tenant_id, ref))).rowcount == 0:
                raise _unknown()


async def found_set(connection: Connection, tenant_id: UUID, ref: str) -> TemplateSet:
    """Return a set by id or name, or raise NotFound, inside the tenant's transaction."""
    row = await (await connection.execute(FIND, _named(tenant_id, ref))).fetchone()
    if row is None:
        raise _unknown()
    return TemplateSet.of(row)


async def _entries(connection: Connection, tenant_id: UUID, turns: Sequence[Turn]) -> Jsonb:
    entries, errors = list[Entry](), list[FieldError]()
    for position, turn in enumerate(turns):
        template = await repository.find(connection, tenant_id, Ref.read(turn.template))
        if template is None or template.deleted_at is not None:
            place = f"/entries/{position}/template"
            errors.append(FieldError(place, "template_not_found", "There is no such template."))
        else:
            entries.append(Entry(template.id, turn.delay))
    if errors:
        raise Invalid("A set is made of templates of the tenant.", code="template_not_found", errors=errors)
    return Jsonb([entry.stored for entry in entries])


def _named(tenant_id: UUID, ref: str) -> dict[str, Any]:
    try:
        return {"tenant_id": tenant_id, "id": parse_id(TEMPLATE_SET, ref), "name": None}
    except NotFound:
        return {"tenant_id": tenant_id, "id": None, "name": ref}


def _unknown() -> NotFound:
    return NotFound("There is no such template set.")


def _taken() -> Conflict:
    return Conflict("There is a template set with this name already.", code="name_taken")
