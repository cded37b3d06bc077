"""Fills the record with notifications and contacts by the thousand; the rows are those that accepting writes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg.types.json import Jsonb

from benchmarks.house import House
from benchmarks.letters import HTML, TEXT, TITLE, address
from postroom.contracts.vocabulary import ChannelKind, Priority
from postroom.database.engine import Role, open_database
from postroom.notifications.insertion import write_notifications
from postroom.notifications.request import Draft, Request, write_draft
from postroom.notifications.schedule import Schedule
from postroom.tenants.gate import Identity
from postroom.timing import Timing

GROUP = 1_000  # rows to a commit
POOLS = {Role.APP: 1, Role.ACCEPT: 1}

KEY = "SELECT k.tenant_id, t.slug, k.id FROM api_keys k JOIN tenants t ON t.id = k.tenant_id LIMIT 1"
CONTACTS = """
INSERT INTO contacts (tenant_id, user_id, addresses)
SELECT %(tenant_id)s, * FROM unnest(%(names)s::text[], %(addresses)s::jsonb[])
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How many, how urgent, and when; names begin with `prefix`."""

    prefix: str
    count: int
    priority: Priority = Priority.MEDIUM
    schedule: Schedule = field(default_factory=Schedule)

    @property
    def names(self) -> list[str]:
        """One person each."""
        return [f"{self.prefix}-{number}" for number in range(self.count)]


async def fill(house: House, load: Load) -> None:
    """Write the notifications of a load, a thousand to a commit; nobody is told, the relay finds them by itself."""
    identity = await demo(house)
    names = load.names
    async with open_database(house.database_url, POOLS) as database:
        for at in range(0, len(names), GROUP):
            drafts = [_draft(identity, load, name) for name in names[at : at + GROUP]]
            async with database.transaction(Role.ACCEPT) as connection:
                await write_notifications(connection, drafts)


async def fill_contacts(house: House, names: Sequence[str]) -> None:
    """Make these people known, each with an address."""
    identity = await demo(house)
    rows = {
        "tenant_id": identity.tenant_id,
        "names": list(names),
        "addresses": [Jsonb({str(ChannelKind.EMAIL): address(name)}) for name in names],
    }
    async with house.connection() as connection:
        await connection.execute(CONTACTS, rows)


async def demo(house: House) -> Identity:
    """The tenant that every section sends for."""
    [(tenant_id, slug, key_id)] = await house.rows(KEY)
    return Identity(tenant_id, slug, key_id, frozenset())


def _draft(identity: Identity, load: Load, name: str) -> Draft:
    request = Request(
        channels=(ChannelKind.EMAIL,),
        title=TITLE,
        body_text=TEXT,
        body_html=HTML,
        user_id=name,
        metadata={str(ChannelKind.EMAIL): address(name), "order": "A-1001"},
        priority=load.priority,
        notification_type="order_shipped",
        schedule=load.schedule,
    )
    return write_draft(request, identity, Timing())
