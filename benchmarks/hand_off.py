"""The e-mail channel with its ledger, beside a loop around aiosmtplib that keeps no record; same sink, same width."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import aiosmtplib

from benchmarks.figures import Figure, Finding
from benchmarks.house import House
from benchmarks.letters import address
from benchmarks.mime import DOMAIN, SENDER, parcel
from postroom.channels.base import Parcel, Verdict
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.mime import build
from postroom.channels.email.providers import Provider, parse_providers
from postroom.channels.email.route import EmailOptions
from postroom.database.engine import Database, Role, open_database
from postroom.deliveries.ledger import Claim, Ledger
from postroom.timing import Timing

ROUNDS = 3
COUNT = 3_000
CONNECTIONS = 16
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


async def measure(house: House) -> list[Finding]:
    """Alternate rounds with as many connections each."""
    ours, bare = [], []
    async with open_database(house.database_url, POOLS) as database:
        for _ in range(ROUNDS):
            await house.empty()
            bare.append(await bare_round(house.sink.port))
            ours.append(await postroom_round(database, house.sink.port))
    what = f"mails handed off over {CONNECTIONS} connections: mark, body, record"
    return [Finding("hand-off", what, "/s", Figure(ours), Figure(bare))]


async def postroom_round(database: Database, port: int) -> float:
    """Mails per second from claimed to recorded."""
    letters = await claimed_letters(database)
    timing = Timing()
    ledger = Ledger(database, timing, "bench")
    providers = parse_providers(f"smtp://127.0.0.1:{port}")

    async def providers_of(_tenant_id: UUID) -> Sequence[Provider]:
        return providers

    channel = EmailChannel(providers_of, timing, EmailOptions(DOMAIN, CONNECTIONS))
    free = asyncio.Semaphore(CONNECTIONS * 2)

    async def one(letter: Parcel, claim: Claim) -> None:
        async with free:
            answer = await channel.hand_off(letter, lambda message, provider: ledger.mark(claim, message, provider))
            assert answer.verdict is Verdict.ACCEPTED
            assert await ledger.record(claim, answer)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for letter, claim in letters:
            group.create_task(one(letter, claim))
    seconds = time.perf_counter() - began
    await channel.close()
    return COUNT / seconds


async def claimed_letters(database: Database) -> list[tuple[Parcel, Claim]]:
    """Put claimed deliveries into the ledger and return what is to be handed off."""
    letters = [(one := parcel(f"h{number}"), Claim(one.delivery_id, uuid4())) for number in range(COUNT)]
    claims = {"ids": [claim.delivery_id for _, claim in letters], "tokens": [claim.token for _, claim in letters]}
    async with database.system_transaction() as connection:
        await connection.execute(CLAIMED, claims)
    return letters


async def bare_round(port: int) -> float:
    """Mails per second of one prebuilt message."""
    message = build(replace(parcel("bare"), address=address("bare")), DOMAIN)
    share = COUNT // CONNECTIONS

    async def keep_busy() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
            for _ in range(share):
                await smtp.sendmail(SENDER, [address("bare")], message)

    began = time.perf_counter()
    await asyncio.gather(*(keep_busy() for _ in range(CONNECTIONS)))
    return share * CONNECTIONS / (time.perf_counter() - began)
