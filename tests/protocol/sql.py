"""The product's own statements under the names of the model's transitions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from postroom.carriers.gathering import Group, PageSize, gather_due, gather_waiting
from postroom.carriers.looking import Lookout
from postroom.carriers.poking import owe_look, take_pokes, watch
from postroom.channels.base import Answer, Evidence, Phase, Verdict
from postroom.contracts.carriers import Plan
from postroom.database.engine import Connection, Database, Role
from postroom.deliveries.claiming import Desk
from postroom.deliveries.ledger import Claim, MarkRequest, mark_all, record_all
from postroom.deliveries.locking import lock_carried, lock_free
from postroom.deliveries.reconciling import Doubt, Resolution, doubts
from postroom.deliveries.settling import correct_late, settle
from postroom.deliveries.waiting import put_off, release
from postroom.identity import address_hash
from postroom.notifications.control import Control
from postroom.relay.sweeping import LAPSED, OVERDUE
from tests.fixtures.database import Tenant
from tests.fixtures.links import LINKS
from tests.protocol.ground import ADDRESS, CHANNELS, TICK, USER, Ground, timing
from tests.protocol.rules import World

PEPPER = b"a pepper for tests of the protocol"
WORKER = "worker under test"
GROUP = "SELECT priority, tenant_id, channel FROM notifications WHERE id = %s"
SWEEPS = {"lapse": LAPSED, "expire": OVERDUE}
OVERSLEEP = """
UPDATE carriers SET wake_by = now() + CASE WHEN id = %s THEN interval '-1 s' ELSE interval '9 days' END
WHERE tenant_id = %s
"""
OTHERS = "SELECT FROM carriers WHERE tenant_id = %s AND id <> %s FOR NO KEY UPDATE"
SUPPRESS = "INSERT INTO suppressions (tenant_id, channel, address_hash, reason) VALUES (%s, %s, %s, 'test')"


class Grip(NamedTuple):
    """What a worker of the product holds for one notification: its claim, or the doubt it asked about."""

    claim: Claim | None = None
    doubt: Doubt | None = None


@dataclass
class Product(Ground):
    """The transitions as the product executes them; workers hold what theirs returned."""

    grips: dict[tuple[int, int], Grip] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build the parts of the product once."""
        self.timing = timing(self.world)
        self.lookout = Lookout(self.timing)
        self.resolution = Resolution(self.timing, WORKER)
        self.control = Control(self.database, self.timing)
        self.desk = Desk(self.timing, PEPPER, "Postroom <no-reply@mail.example>", page=500, links=LINKS)

    # The relay and the watchdog.

    async def gather(self, note: int = 0, page: int = 1) -> UUID:
        """1, for the first that is due or for a page of them; returns the carrier of `note`."""
        return await self._gather(gather_due, note, page)

    async def gather_waiting(self, note: int = 0, page: int = 1) -> UUID:
        """2, for the first that waits or for up to a page of them; returns the carrier of `note`."""
        return await self._gather(gather_waiting, note, page)

    async def _gather(self, how: Callable[[Connection, Group, PageSize], Awaitable[int]], note: int, page: int) -> UUID:
        async with self.database.system_transaction() as connection:
            found = await (await connection.execute(GROUP, (self.notes[note],))).fetchone()
            assert found is not None
            await how(connection, Group(**found, slug=self.tenant.slug), PageSize(page, 1, self.timing.watch_grace))
        carrier = (await self.row("note", note))[0]["carrier_id"]
        assert isinstance(carrier, UUID)
        return carrier

    async def poke(self, carrier: UUID) -> list[UUID]:
        """3 while another relay holds every carrier of the tenant but this one; returns what was taken."""
        async with self.database.system_transaction() as other, self.database.system_transaction() as connection:
            await other.execute(OTHERS, (self.tenant.id, carrier))
            pokes = await take_pokes(connection, self.timing, 1000)
        return [poke.id for poke in pokes if poke.tenant_id == self.tenant.id]

    async def watch(self, carrier: UUID) -> None:
        """15, for a carrier that should have come back."""
        async with self.database.system_transaction() as connection:
            await connection.execute(OVERSLEEP, (carrier, self.tenant.id))
        async with self.database.system_transaction() as connection:
            await watch(connection, 1000)

    async def sweep(self, which: str, note: int = 0) -> None:
        """14 (`lapse`) or 16 (`expire`) as the sweeper does it, for one notification that its query must find."""
        async with self.database.system_transaction() as connection:
            found = await (await connection.execute(SWEEPS[which], {"limit": 10_000})).fetchall()
            assert self.notes[note] in {next(iter(row.values())) for row in found}
            ids = await lock_free(connection, [self.notes[note]])
            await settle(connection, ids)
        carrier = (await self.row("note", note))[0]["carrier_id"]
        async with self.database.system_transaction() as connection:
            await owe_look(connection, [carrier] if carrier else [])

    async def correct(self) -> None:
        """17."""
        async with self.database.system_transaction() as connection:
            await correct_late(connection, 1000)

    # A pass.

    async def begin(self, carrier: UUID) -> None:
        """The first step of a pass."""
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            await settle(connection, await lock_carried(connection, carrier))

    async def finish(self, carrier: UUID) -> Plan:
        """The last step of a pass."""
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            await settle(connection, await lock_carried(connection, carrier))
            return await self.lookout.look(connection, carrier)

    async def look(self, carrier: UUID) -> Plan:
        """4 on its own."""
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            return await self.lookout.look(connection, carrier)

    async def claim(self, carrier: UUID, worker: int = 0) -> list[int]:
        """5: returns the notifications claimed."""
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            ids = await lock_carried(connection, carrier)
            await settle(connection, ids)
            claimed = []
            for channel in CHANNELS[: self.world.channels]:
                claimed += await self.desk.claim(connection, ids, self.tenant.id, channel)
        held = {
            self.notes.index(one): claimed_one.claim
            for claimed_one in claimed
            if (one := claimed_one.parcel.notification_id)
        }
        self.grips |= {(worker, note): Grip(claim=claim) for note, claim in held.items()}
        return sorted(held)

    async def skip(self, carrier: UUID) -> None:
        """5 with a policy that says never."""
        async with self.database.system_transaction() as connection:
            for kind, address in zip(CHANNELS, (ADDRESS, USER), strict=True):
                hashed = address_hash(PEPPER, kind, address)
                await connection.execute(SUPPRESS, (self.tenant.id, kind, hashed))
        assert await self.claim(carrier) == []
        async with self.database.system_transaction() as connection:
            await connection.execute("DELETE FROM suppressions WHERE tenant_id = %s", (self.tenant.id,))

    async def put_off(self, carrier: UUID) -> None:
        """13 for a provider nobody can reach."""
        outage = Answer(
            Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable", retry_after=self.world.ticks.outage * TICK
        )
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            ids = await lock_carried(connection, carrier)
            for channel in CHANNELS:
                await put_off(connection, ids, channel, outage)

    async def release(self, carrier: UUID) -> None:
        """13 for a long wait; only a carrier with company releases."""
        async with self.database.system_transaction() as connection:
            await connection.execute("UPDATE carriers SET size = 2 WHERE id = %s", (carrier,))
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            ids = await lock_carried(connection, carrier)
            await release(connection, carrier, ids, timedelta(0))

    # Mark and record.

    async def mark(self, worker: int = 0, note: int = 0) -> bool:
        """6."""
        claim = self._claim(worker, note)
        async with self.database.transaction(Role.LEDGER) as connection:
            requests = [MarkRequest(claim, b"the bytes", "sink")]
            return claim.delivery_id in await mark_all(connection, requests, self.timing, WORKER)

    async def record(self, verdict: Verdict, worker: int = 0, note: int = 0) -> bool:
        """7, 8, 9 and 9'."""
        claim = self._claim(worker, note)
        answer = Answer(verdict, Phase.ANSWER, f"test_{verdict}", provider="sink")
        async with self.database.transaction(Role.LEDGER) as connection:
            return claim.delivery_id in await record_all(connection, [(claim, answer)], self.timing, WORKER)

    async def record_silence(self, worker: int = 0, note: int = 0) -> None:
        """10."""
        answer = Answer(Verdict.UNKNOWN, Phase.ANSWER, "no_answer")
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            await self.resolution.lose_track(connection, self._claim(worker, note), answer)

    def _claim(self, worker: int, note: int) -> Claim:
        claim = self.grips[worker, note].claim
        assert claim is not None
        return claim

    # Unknown outcomes.

    async def ask(self, carrier: UUID, worker: int = 0, note: int = 0) -> None:
        """11, what is to be asked about."""
        found: list[Doubt] = []
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            for channel in CHANNELS[: self.world.channels]:
                found += await doubts(connection, carrier, channel, 500)
        doubt = next(one for one in found if one.notification_id == self.notes[note])
        self.grips[worker, note] = Grip(doubt=doubt)

    async def resolve(self, evidence: Evidence, worker: int = 0, note: int = 0) -> None:
        """11, the answer applied."""
        doubt = self.grips[worker, note].doubt
        assert doubt is not None
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            await self.resolution.apply(connection, [doubt], {doubt.id: evidence})

    # Control.

    async def act(self, action: str, note: int = 0) -> str:
        """Cancel, reschedule (by the world's delay), send_now or retry; returns the answer."""
        if action == "reschedule":
            due = datetime.now(UTC) + self.world.ticks.delay * TICK
            return await self.control.reschedule(self.tenant.id, self.notes[note], due)
        act = {"cancel": self.control.cancel, "send_now": self.control.send_now, "retry": self.control.retry}[action]
        return await act(self.tenant.id, self.notes[note])


async def open_product(database: Database, tenant: Tenant, world: World) -> Product:
    """A tenant with as many accepted notifications as the world has."""
    product = Product(database, tenant, world)
    for _ in range(world.notes):
        await product.accept()
    return product
