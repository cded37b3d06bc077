"""A person of whom every table holds something, and a look through the whole database for what is left of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier, Literal, Placeholder
from psycopg.types.json import Jsonb

from postroom.database.engine import Database
from postroom.identity import address_hash, new_id
from postroom.privacy.holdings import HOLDINGS, Tie
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import change

# What stays of rows that stay: words of ours and the tenant's, with an example of each. Whatever is not here is filled
# with the person's name, and must be gone afterwards.
KEPT: Mapping[str, Mapping[str, Any]] = {
    "notifications": {
        "channel": "email",
        "channels": ["email"],
        "strategy": "first",
        "class": "transactional",
        "notification_type": "invoice",
        "origin": "request",
        "state": "sent",
        "reason": "accepted",
    },
    "deliveries": {
        "channel": "email",
        "state": "accepted",
        "reason": "accepted",
        "provider": "relay",
        "scopes": ["all"],
        "address_hash": b"a keyed hash",
    },
    "delivery_attempts": {
        "event": "rejected",
        "provider": "relay",
        "worker": "host/1",
        "phase": "answer",
        "enhanced": "5.1.1",
    },
    "delivery_feedback": {
        "kind": "bounced",
        "source": "dsn",
        "enhanced": "5.1.1",
        "address_hash": b"a keyed hash",
    },
    "delivery_touches": {"kind": "click", "machine": "proxy"},
    "notification_events": {"kind": "skipped", "reason": "suppressed"},
    "webhook_messages": {"type": "notification.sent"},
}
# What a table wants to be one of a few words, in rows that go.
CONSTRAINED: Mapping[tuple[str, str], Any] = {
    ("preferences", "frequency"): "daily",
    ("preference_events", "subject"): "consent",
    ("digests", "state"): "sent",
    ("enrolments", "state"): "completed",
    ("enrolment_steps", "state"): "sent",
}
LEFT_OUT = object()
PLAIN: Mapping[str, Mapping[str, Any]] = {"notifications": {"priority": 3}, "idempotency_keys": {"job_id": LEFT_OUT}}
NEEDED = frozenset({"id", "endpoint_id", "position", "attempt", "size", "enabled"})
COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type, c.is_identity = 'YES' AS made FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'
ORDER BY table_name, ordinal_position
"""
WORDY = frozenset({"text", "jsonb", "json", "bytea", "ARRAY", "character varying"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the catalog."""

    table: str
    name: str
    type: str
    made: bool


@dataclass(slots=True)
class Person:
    """Somebody whose name, address and user_id are nobody else's."""

    tenant_id: UUID
    user_id: str = field(default_factory=lambda: f"u{new_id().hex[-20:]}")
    name: str = field(default_factory=lambda: f"Lovelace{new_id().hex[-12:]}")
    address: str = field(default_factory=lambda: f"a{new_id().hex[-12:]}@shop.de")
    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, str, str]:
        """What must not be found any more."""
        return self.user_id, self.name, self.address

    @property
    def text(self) -> str:
        """All of it at once, no longer than any column takes."""
        return f"{self.user_id} {self.name} {self.address}"[:64]

    def particular(self, table: str) -> dict[str, Any]:
        """What a table wants to be told of this person in its own way."""
        refused = f"mailbox_unknown: 550 <{self.address}>: {self.name}"
        own: dict[str, dict[str, Any]] = {
            "contacts": {"addresses": Jsonb({"email": self.address})},
            "deliveries": {"id": self.ids["delivery_id"]},
            "delivery_attempts": {"detail": refused},
            "enrolments": {
                "id": self.ids["enrolment_id"],
                "version": 1,
                "request_id": new_id(),
                "api_key_id": new_id(),
            },
            "task_recipients": {"task_id": new_id(), "seq": 1, "delivery_id": new_id(), "part": 0},
            "digests": {"id": self.ids.setdefault("digest_id", new_id()), "closing_id": None},
        }
        return own.get(table, {})

    def fills(self, column: Column, own: Mapping[str, Any]) -> Any:
        """What stands in a column of a row about this person, `own` before all: their words wherever there is room."""
        constrained = {name: value for (table, name), value in CONSTRAINED.items() if table == column.table}
        for given in (own, self.ids, KEPT.get(column.table, {}), constrained, PLAIN.get(column.table, {})):
            if column.name in given:
                return given[column.name]
        needed = column.name in NEEDED or column.name.endswith(("_at", "after"))
        return self.value(column) if column.type in WORDY or needed else LEFT_OUT

    def value(self, column: Column) -> Any:
        """What this person writes into a column."""
        values = {
            "text": self.text,
            "jsonb": Jsonb({"user_id": self.user_id, "email": self.address, "name": self.name}),
            "bytea": " ".join(self.words).encode(),
            "ARRAY": [],
            "uuid": new_id(),
            "integer": 1,
            "smallint": 1,
            "bigint": 1,
            "boolean": False,
            "timestamp with time zone": datetime.now(UTC),
            "interval": "1 hour",
        }
        return values[column.type]


def columns(database_url: str) -> list[Column]:
    """Every column of the schema."""
    with psycopg.connect(database_url) as connection:
        return [Column(*row) for row in connection.execute(COLUMNS)]


async def remember(database: Database, schema: list[Column], person: Person) -> None:
    """Write a row about a person into every table that can hold one: all that is over, with every column filled."""
    one, delivery, blob = new_id(), new_id(), new_id().bytes * 2
    person.ids = {"notification_id": one, "delivery_id": delivery, "sha256": blob, "tenant_id": person.tenant_id}
    person.ids |= {"user_id": person.user_id}
    person.ids |= {"enrolment_id": new_id(), "sequence_id": new_id()}
    sequence = "INSERT INTO sequences (id, tenant_id, name) VALUES (%s, %s, 'trial')"
    await change(database, sequence, person.ids["sequence_id"], person.tenant_id)
    content = " ".join(person.words).encode()
    await change(
        database, "INSERT INTO blobs (tenant_id, sha256, content) VALUES (%s, %s, %s)", person.tenant_id, blob, content
    )
    await _fill(database, schema, person, ("notifications", {"id": one}))
    ties = {Tie.PERSON: 0, Tie.NOTIFICATION: 1, Tie.DELIVERY: 2}
    for holding in sorted(HOLDINGS, key=lambda one: (ties[one.tie], one.table != "deliveries")):
        await _fill(database, schema, person, (holding.table, person.particular(holding.table)))
    note = """
    INSERT INTO suppressions (tenant_id, channel, address_hash, reason, scope, note)
    VALUES (%s, 'email', %s, %s, %s, %s)
    """
    hashed = address_hash(PEPPER, "email", person.address)
    for scope in ("all", "type:news"):
        await change(database, note, person.tenant_id, hashed, "manual", scope, person.text)


async def _fill(database: Database, schema: list[Column], person: Person, row: tuple[str, dict[str, Any]]) -> None:
    table, own = row
    mine = [column for column in schema if column.table == table and not column.made]
    values = {column.name: person.fills(column, own) for column in mine}
    values = {name: value for name, value in values.items() if value is not LEFT_OUT}
    statement = SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        Identifier(table), SQL(", ").join(map(Identifier, values)), SQL(", ").join(Placeholder() * len(values))
    )
    async with database.system_transaction() as connection:
        await connection.execute(statement, list(values.values()))


def filled(schema: list[Column]) -> set[str]:
    """The columns that `remember` writes the person's words into: all that could hold them."""
    held = {holding.table for holding in HOLDINGS}
    return {
        f"{one.table}.{one.name}"
        for one in schema
        if one.table in held and one.type in WORDY and one.type != "ARRAY" and one.name != "sha256"
        if one.name not in KEPT.get(one.table, {}) and (one.table, one.name) not in CONSTRAINED
    }


def found(database_url: str, person: Person, *, beside: frozenset[str] = frozenset()) -> set[str]:
    """Every table and column that still holds one of the person's words."""
    traces = set()
    with psycopg.connect(database_url) as connection:
        for column in columns(database_url):
            if column.type not in WORDY or column.table in beside:
                continue
            name = Identifier(column.name)
            for word in person.words:
                if column.type == "bytea":
                    looks = SQL("position({} IN {}) > 0").format(Literal(word.encode()), name)
                else:
                    looks = SQL("position({} IN {}::text) > 0").format(Literal(word), name)
                asked = SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(Identifier(column.table), looks)
                if (row := connection.execute(asked).fetchone()) and row[0]:
                    traces.add(f"{column.table}.{column.name}")
    return traces
