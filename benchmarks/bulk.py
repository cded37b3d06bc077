"""Bulk sends to measure: contacts by the million, a newsletter for them, and a task that is ready to start."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from benchmarks.filling import demo
from benchmarks.house import House
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.identity import new_id
from postroom.templates.content import Content, Script, Variant
from postroom.tenants.gate import Identity

EMPTY = """
TRUNCATE contacts, contact_usage, preferences, campaigns, campaign_tasks, task_recipients, task_pages, task_events,
    task_links, deliveries, notifications CASCADE
"""
CONTACTS = """
INSERT INTO contacts (tenant_id, user_id, addresses, attributes, language, consent)
SELECT %(tenant_id)s, name, jsonb_build_object('email', name || '@bench.example'),
       jsonb_build_object('first_name', 'Ada ' || n, 'city', 'Lisbon'), 'en', '{}'
FROM generate_series(1, %(count)s) AS n, LATERAL (SELECT %(prefix)s || '-' || lpad(n::text, 8, '0') AS name) called
"""
NEIGHBOUR = """
INSERT INTO tenants (slug, name) VALUES ('neighbour', 'Neighbour')
ON CONFLICT (slug) DO UPDATE SET name = excluded.name RETURNING id
"""
TEMPLATE = "INSERT INTO templates (id, tenant_id, name, channel) VALUES (%(id)s, %(tenant_id)s, %(name)s, 'email')"
VERSION = """
INSERT INTO template_versions (template_id, version, tenant_id, state, content, variables, content_hash, approved_hash)
VALUES (%(id)s, 1, %(tenant_id)s, 'approved', %(content)s, %(variables)s, %(hash)s, %(hash)s)
"""
CAMPAIGN = "INSERT INTO campaigns (id, tenant_id, name, api_key_id) VALUES (%(id)s, %(tenant_id)s, 'Spring', %(key)s)"
TASK = """
INSERT INTO campaign_tasks (id, tenant_id, campaign_id, name, channel, class, rule, content, tracking, time_to_live,
    state, created_by, pinned, start_at, epoch, owed, next_poke_at, launched_at)
VALUES (%(id)s, %(tenant_id)s, %(campaign)s, 'Spring letter', 'email', %(message_class)s, %(rule)s, %(content)s,
    %(tracking)s, %(life)s, 'scheduled', %(key)s, %(pinned)s, now(), 1, true, now(), now())
"""

PARTS = ("linen", "cotton", "all")
PARAGRAPH = "<p>The <b>spring collection</b> is here: linen, cotton and colours from {{ contact.city }}.</p>\n"
HTML = (
    "<html><body><h1>Hello {{ contact.first_name }}</h1>"
    + PARAGRAPH * 2
    + "<p>Twelve new shirts, nine dresses, and the coats of last year for half of what they were.</p>\n" * 24
    + "".join(f'<p><a href="https://shop.example/spring/{part}">See {part}</a></p>' for part in PARTS)
    + '<p><a href="{{ unsubscribe_url }}">No more letters</a></p></body></html>'
)
TITLE = "Spring, {{ contact.first_name }}"
TEXT = "Hello {{ contact.first_name }},\n\n" + "The spring collection is here: linen, cotton and colours.\n" * 8


@dataclass(frozen=True, slots=True)
class People:
    """So many people, whose names begin with `prefix`."""

    prefix: str
    count: int

    @property
    def names(self) -> list[str]:
        """What each is called; their addresses are as `letters.address` has them."""
        return [f"{self.prefix}-{number:08}" for number in range(1, self.count + 1)]


async def people(house: House, identity: Identity, names: People) -> None:
    """Make so many people known to a tenant, each with an address of their own."""
    row = {"tenant_id": identity.tenant_id, "prefix": names.prefix, "count": names.count}
    async with house.connection() as connection:
        await connection.execute(CONTACTS, row)
        await connection.execute("ANALYZE contacts")


async def emptied(house: House) -> None:
    """Forget every task and person, so that each round finds the same tables."""
    async with house.connection() as connection:
        await connection.execute(EMPTY)
        await connection.execute("CHECKPOINT")


async def neighbour(house: House) -> Identity:
    """Another tenant beside the one that every section sends for."""
    one = await demo(house)
    [(tenant_id,)] = await house.rows(NEIGHBOUR)
    return Identity(tenant_id, "neighbour", one.key_id, frozenset())


async def newsletter(house: House, identity: Identity) -> UUID:
    """Write an approved template; returns its id."""
    made = new_id()
    content = Content(ChannelKind.EMAIL, "en", (Variant("default", 1, {"en": Script(TITLE, TEXT, HTML)}),))
    row = {"id": made, "tenant_id": identity.tenant_id, "name": f"spring-{made.hex[:12]}"}
    version = {"content": content.canonical, "variables": "[]", "hash": content.hash}
    async with house.connection() as connection:
        await connection.execute(TEMPLATE, row)
        await connection.execute(VERSION, row | version)
    return made


async def launch(house: House, identity: Identity) -> UUID:
    """Write a campaign with one task for everybody, due now, as a launch leaves it; returns the task's id."""
    campaign, task = new_id(), new_id()
    pinned = [{"template_id": str(await newsletter(house, identity)), "version": 1, "label": "default", "weight": 1}]
    row = {
        "id": task,
        "campaign": campaign,
        "tenant_id": identity.tenant_id,
        "key": identity.key_id,
        "message_class": MessageClass.MARKETING,
        "rule": Jsonb({"everyone": True}),
        "content": Jsonb({"template": pinned[0]["template_id"]}),
        "tracking": Jsonb({"opens": True, "clicks": True}),
        "pinned": Jsonb(pinned),
        "life": timedelta(days=3),
    }
    async with house.connection() as connection:
        await connection.execute(CAMPAIGN, row | {"id": campaign})
        await connection.execute(TASK, row)
    return task
