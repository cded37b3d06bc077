"""Bulk sends to people the sink understands: written as a launch leaves them, with everybody who is to be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from postroom.database.engine import Role, open_database
from postroom.templates.content import Script
from tests.fixtures.tasks import Sale, launched

POOLS = {Role.APP: 1, Role.SYSTEM: 1}
WORDS = Script(title="News for {{ contact.name }}", text="Nothing is lost, and everybody is told.")

PEOPLE = """
WITH known AS (
    INSERT INTO contacts (tenant_id, user_id, addresses, attributes)
    SELECT %(tenant_id)s, %(name)s || '.' || lpad(n::text, 6, '0'),
           jsonb_build_object('email', (%(to)s::text[])[1 + n %% cardinality(%(to)s::text[])] || '+' || %(name)s || '.'
                                       || n || '@example.org'),
           jsonb_build_object('name', 'Reader ' || n)
    FROM generate_series(1, %(count)s) n RETURNING tenant_id, user_id
)
INSERT INTO contact_tags (tenant_id, user_id, tag) SELECT tenant_id, user_id, %(name)s FROM known
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many people with one tag, which is their `name`; `to` is what the sink makes of them, in turns."""

    tenant_id: UUID
    name: str
    count: int
    to: tuple[str, ...] = ("ok",)

    @property
    def rule(self) -> dict[str, Any]:
        """The rule that finds them."""
        return {"tags": {"any": [self.name]}}

    def holds(self, address: str) -> bool:
        """Whether an address is one of theirs."""
        return f"+{self.name}." in address


@dataclass(frozen=True, slots=True)
class Task:
    """A task that was launched, and whom it is for."""

    id: UUID
    crowd: Crowd


@dataclass(frozen=True, slots=True)
class Terms:
    """What a task may be sent with beside its audience."""

    message_class: str = "transactional"
    pace: Mapping[str, Any] = field(default_factory=dict)
    sender: Mapping[str, Any] = field(default_factory=dict)


PLAIN = Terms()


async def gather(database_url: str, crowd: Crowd) -> None:
    """Write the people, as the database's owner."""
    told = {"tenant_id": crowd.tenant_id, "name": crowd.name, "count": crowd.count, "to": list(crowd.to)}
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(PEOPLE, told)


async def launch(database_url: str, crowd: Crowd, terms: Terms = PLAIN) -> Task:
    """Write the people, an approved template and a task that is owed its first look."""
    await gather(database_url, crowd)
    sale = Sale(
        crowd.tenant_id,
        message_class=terms.message_class,
        rule=crowd.rule,
        pace=terms.pace,
        sender=terms.sender,
        words=(WORDS,),
    )
    async with open_database(database_url, POOLS) as database:
        return Task(await launched(database, sale), crowd)
