"""What policy costs a queued notification, beside its hand-off: facts, decisions and effects of whole pages."""

import time
from dataclasses import dataclass
from uuid import UUID

from benchmarks.discard import DiscardProcess
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.hand_off import COUNT, POOLS, Field, postroom_round
from benchmarks.house import House
from benchmarks.mime import SENDER
from benchmarks.scale import Scale
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database, open_database
from postroom.deliveries.claiming import Desk
from postroom.person_pages.links import LinkMaker
from postroom.timing import Timing

SECTION = "policy"
ROUNDS = 3
PAGE = 500
CONNECTIONS = 16
PEPPER = b"p" * 32

# Everybody has a zone, quiet hours of their own, three preferences and ten messages behind them; a type has a group and
# defaults. Of ten people one sleeps, one has unsubscribed and one is told once a day.
PEOPLE = """
INSERT INTO contacts (tenant_id, user_id, addresses, time_zone, quiet_hours)
SELECT t.id, 'person' || n, jsonb_build_object('email', 'person' || n || '@example.org'), 'Europe/Paris',
       CASE WHEN n %% 10 = 0 THEN jsonb_build_object(
           'start', to_char(now() AT TIME ZONE 'Europe/Paris' - interval '1 h', 'HH24:MI'),
           'end', to_char(now() AT TIME ZONE 'Europe/Paris' + interval '1 h', 'HH24:MI'))
       ELSE jsonb_build_object(
           'start', to_char(now() AT TIME ZONE 'Europe/Paris' + interval '3 h', 'HH24:MI'),
           'end', to_char(now() AT TIME ZONE 'Europe/Paris' + interval '9 h', 'HH24:MI')) END
FROM (SELECT id FROM tenants LIMIT 1) t, generate_series(1, %(count)s) n
"""
TYPES = """
INSERT INTO notification_types (tenant_id, name, group_name, class, defaults)
SELECT id, 'receipt', 'billing', 'transactional', '{"enabled": true, "channels": {"in_app": false}}'
FROM tenants LIMIT 1
ON CONFLICT DO NOTHING
"""
PREFERENCES = """
INSERT INTO preferences (tenant_id, user_id, notification_type, channel, enabled, frequency)
SELECT t.id, 'person' || n, about.name, about.channel, NOT (n %% 10 = 1 AND about.name = 'receipt'),
       CASE WHEN n %% 10 = 2 THEN 'daily' ELSE 'immediate' END
FROM (SELECT id FROM tenants LIMIT 1) t, generate_series(1, %(count)s) n,
     (VALUES ('receipt', 'email'), ('group:billing', '*'), ('*', 'email')) AS about (name, channel)
"""
USAGE = """
INSERT INTO contact_usage (tenant_id, user_id, channel, class, sent_at, held_by)
SELECT t.id, 'person' || n, 'email', 'transactional',
       array(SELECT now() - interval '1 h' * i FROM generate_series(1, 10) i ORDER BY 1),
       array(SELECT uuidv7() FROM generate_series(1, 10))
FROM (SELECT id FROM tenants LIMIT 1) t, generate_series(1, %(count)s) n
"""
QUEUED = """
WITH made AS (
    INSERT INTO notifications (id, tenant_id, user_id, channel, channels, priority, class, notification_type, due_at,
                               expires_at, fallback_after)
    SELECT uuidv7(), t.id, CASE WHEN %(personal)s THEN 'person' || n END, 'email', '{email}', 3, 'transactional',
           'receipt', now(), now() + interval '3 d', interval '1 h'
    FROM (SELECT id FROM tenants LIMIT 1) t, generate_series(1, %(count)s) n
    RETURNING id, tenant_id
)
INSERT INTO notification_contents (notification_id, tenant_id, title, body_text, metadata)
SELECT id, tenant_id, 'Hello', 'A word.', jsonb_build_object('email', 'person@example.org') FROM made
RETURNING notification_id, tenant_id
"""


@dataclass(frozen=True, slots=True)
class Queue:
    """Notifications that nobody has decided on yet."""

    tenant_id: UUID
    ids: list[UUID]


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Alternate: claim pages of people with everything policy knows, pages of bare addresses, and hand letters off."""
    count = scale.count(COUNT)
    decided, plain, handed = [], [], []
    async with open_database(house.database_url, POOLS) as database, DiscardProcess.open() as sink:
        for _ in range(scale.rounds(ROUNDS)):
            await house.empty()
            handed.append((await postroom_round(database, Field(sink, CONNECTIONS), count)).per_second)
            await house.empty()
            plain.append(await _claimed(database, await _queue(database, count, personal=False)))
            await house.empty()
            decided.append(await _claimed(database, await _queue(database, count, personal=True)))
    policy = [with_it - without for with_it, without in zip(decided, plain, strict=True)]
    hand_off = Figure([1000 / per_second for per_second in handed])
    return [
        Finding(SECTION, "policy for one of a page of 500", "ms", Figure(policy), hand_off, ratio_goal=Goal(below=1.0)),
        Finding(SECTION, "the whole claim, policy included", "ms", Figure(decided), Figure(plain)),
    ]


async def _queue(database: Database, count: int, *, personal: bool) -> Queue:
    async with database.system_transaction() as connection:
        for statement in (PEOPLE, PREFERENCES, USAGE):
            await connection.execute(statement, {"count": count})
        await connection.execute(TYPES)
        rows = await (await connection.execute(QUEUED, {"count": count, "personal": personal})).fetchall()
    return Queue(rows[0]["tenant_id"], [row["notification_id"] for row in rows])


async def _claimed(database: Database, queue: Queue) -> float:
    """Milliseconds that the claim of one notification took."""
    links = LinkMaker({"bench": PEPPER * 2}, "https://mail.example.com")
    desk = Desk(Timing(), PEPPER, SENDER, PAGE, links)
    seconds = 0.0
    for start in range(0, len(queue.ids), PAGE):
        page = queue.ids[start : start + PAGE]
        async with database.tenant_transaction(queue.tenant_id) as connection:
            await _ready(connection, page)
            began = time.perf_counter()
            await desk.claim(connection, page, queue.tenant_id, ChannelKind.EMAIL)
            seconds += time.perf_counter() - began
    return seconds / len(queue.ids) * 1000


async def _ready(connection: Connection, page: list[UUID]) -> None:
    """Lock a page as its pass does."""
    await connection.execute("SELECT FROM notifications WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", (page,))
