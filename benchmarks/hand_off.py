"""The e-mail channel with its ledger, beside a loop around aiosmtplib that keeps no record; same sink, same width."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import aiosmtplib

from benchmarks.discard import DiscardProcess
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.house import House
from benchmarks.letters import address
from benchmarks.mime import DOMAIN, SENDER, parcel
from benchmarks.scale import Scale
from postroom.channels.base import Parcel, Verdict
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.mime import build
from postroom.channels.email.providers import Provider, parse_providers
from postroom.channels.email.route import EmailOptions
from postroom.database.engine import Database, Role, open_database
from postroom.deliveries.ledger import Claim, Ledger
from postroom.timing import Timing

SECTION = "hand-off"
ROUNDS = 3
COUNT = 4_000
CONNECTIONS = (16, 64)  # what a worker has by default, and four times that
POOLS = {Role.APP: 1, Role.SYSTEM: 1, Role.LEDGER: 4}

CLAIMED = """
WITH letters AS (SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) AS letter (id, token)), noted AS (
    INSERT INTO notifications (id, tenant_id, channel, channels, priority, class, due_at, expires_at, fallback_after)
    SELECT letter.id, t.id, 'email', '{email}', 3, 'transactional', now(), now() + interval '1 h', interval '1 h'
    FROM letters letter, (SELECT id FROM tenants LIMIT 1) t
)
INSERT INTO deliveries (id, tenant_id, notification_id, position, channel, expires_at, state, token, lease_until)
SELECT letters.id, t.id, letters.id, 0, 'email', now() + interval '1 h', 'claimed', token, now() + interval '10 min'
FROM letters, (SELECT id FROM tenants LIMIT 1) t
"""


@dataclass(frozen=True, slots=True)
class Round:
    """One round of either side: mails per second, and how busy its two processes were, in per cent of one core."""

    per_second: float
    sender: float
    sink: float


@dataclass(frozen=True, slots=True)
class Field:
    """Where a round takes place: as many connections on either side, the same sink."""

    sink: DiscardProcess
    connections: int

    async def timed(self, handing_off: Awaitable[int]) -> Round:
        """Carry out one round and clock it; the round says how many mails it handed off."""
        sender, sink, began = time.process_time(), self.sink.cpu_seconds(), time.perf_counter()
        count = await handing_off
        seconds = time.perf_counter() - began
        sender, sink = time.process_time() - sender, self.sink.cpu_seconds() - sink
        return Round(count / seconds, sender / seconds * 100, sink / seconds * 100)


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Alternate rounds with as many connections each."""
    findings = []
    async with open_database(house.database_url, POOLS) as database, DiscardProcess.open() as sink:
        for connections in CONNECTIONS:
            field, count = Field(sink, connections), scale.count(COUNT)
            ours, bare = [], []
            for _ in range(scale.rounds(ROUNDS)):
                await house.empty()
                bare.append(await field.timed(bare_round(field, count)))
                ours.append(await postroom_round(database, field, count))
            findings += _findings(connections, ours, bare)
    return findings


def _findings(connections: int, ours: Sequence[Round], bare: Sequence[Round]) -> list[Finding]:
    def figures(name: str) -> tuple[Figure, Figure]:
        return Figure([getattr(one, name) for one in ours]), Figure([getattr(one, name) for one in bare])

    what = f"mails over {connections} connections: mark, body, record"
    return [
        Finding(SECTION, what, "/s", *figures("per_second"), ratio_goal=Goal(at_least=1.0)),
        Finding(SECTION, "how busy the sender was", "% of a core", *figures("sender")),
        Finding(SECTION, "how busy the sink was", "% of a core", *figures("sink")),
    ]


async def postroom_round(database: Database, field: Field, count: int) -> Round:
    """Hand off letters that are claimed already, up to their record."""
    letters = await claimed_letters(database, count)
    timing = Timing()
    ledger = Ledger(database, timing, "bench")
    providers = parse_providers(f"smtp://127.0.0.1:{field.sink.port}")

    async def providers_of(_tenant_id: UUID) -> Sequence[Provider]:
        return providers

    channel = EmailChannel(providers_of, timing, EmailOptions(DOMAIN, field.connections))
    free = asyncio.Semaphore(field.connections * 3)

    async def one(letter: Parcel, claim: Claim) -> None:
        async with free:
            answer = await channel.hand_off(letter, lambda message, provider: ledger.mark(claim, message, provider))
            assert answer.verdict is Verdict.ACCEPTED
            assert await ledger.record(claim, answer)

    async def everything() -> int:
        async with asyncio.TaskGroup() as group:
            for letter, claim in letters:
                group.create_task(one(letter, claim))
        return count

    try:
        return await field.timed(everything())
    finally:
        await channel.close()


async def claimed_letters(database: Database, count: int) -> list[tuple[Parcel, Claim]]:
    """Put claimed deliveries into the ledger and return what is to be handed off."""
    letters = [(one := parcel(f"h{number}"), Claim(one.delivery_id, uuid4())) for number in range(count)]
    claims = {"ids": [claim.delivery_id for _, claim in letters], "tokens": [claim.token for _, claim in letters]}
    async with database.system_transaction() as connection:
        await connection.execute(CLAIMED, claims)
    return letters


async def bare_round(field: Field, count: int) -> int:
    """Send one prebuilt message over and over; returns how many times."""
    message = build(replace(parcel("bare"), address=address("bare")), DOMAIN)
    share = count // field.connections

    async def keep_busy() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=field.sink.port, start_tls=False) as smtp:
            for _ in range(share):
                await smtp.sendmail(SENDER, [address("bare")], message)

    await asyncio.gather(*(keep_busy() for _ in range(field.connections)))
    return share * field.connections
