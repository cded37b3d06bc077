"""One send pass: everything due in one carrier over one channel is decided, handed off, recorded and settled."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from psycopg import Error as DatabaseError

from postroom.attachments.packing import Packing
from postroom.carriers.looking import Lookout
from postroom.carriers.poking import still_here
from postroom.channels.base import Answer, Channel, Phase, Suspect, Verdict
from postroom.contracts.carriers import Plan, SendPass
from postroom.contracts.vocabulary import ChannelKind, DeliveryState
from postroom.database.engine import Database
from postroom.deliveries.berths import Berths
from postroom.deliveries.claiming import Claimed, Desk
from postroom.deliveries.ledger import Ledger
from postroom.deliveries.locking import lock_carried
from postroom.deliveries.reconciling import Doubt, Resolution, doubts
from postroom.deliveries.settling import settle
from postroom.deliveries.waiting import put_off, release, tell_busy
from postroom.deliveries.wording import Wording
from postroom.errors import Unavailable
from postroom.identity import DELIVERY, message_id, public_id
from postroom.timing import Timing

log = logging.getLogger(__name__)

FEW = 20  # members of a carrier, which go at once; more are a page
BERTHS = 2  # pages of one tenant at work over one channel: while one ends, the other keeps the connections busy

# A mark would refuse it, and a refusal that late costs the provider's connection.
CLAIM_OVER = Answer(Verdict.WITHDRAWN, Phase.CONNECT, "claim_over")
# Nobody could put it into words for now; that is our trouble and spends nothing of the message's plan.
WORDLESS = Answer(Verdict.BUSY, Phase.CONNECT, "renderer_busy", retry_after=timedelta(seconds=5))
RENDERING_SHARE = 0.5  # of a claim's lease; the rest belongs to the hand-off


@dataclass(frozen=True, slots=True)
class Outfit:
    """What a sender works with.

    `width` is how many hand-offs of one pass run side by side, except over channels that keep their own order: there a
    slow destination must not stand in the way of the others.
    """

    database: Database
    ledger: Ledger
    desk: Desk
    wording: Wording
    channels: Mapping[ChannelKind, Channel]
    timing: Timing
    worker: str
    mail_domain: str
    width: int
    own_order: frozenset[ChannelKind] = frozenset({ChannelKind.WEBHOOK})  # channels that queue by destination


@dataclass(slots=True)
class Tally:
    """What one pass did; for the story only, never for a decision."""

    verdicts: dict[str, int] = field(default_factory=dict)
    outage: Answer | None = None
    busy: dict[tuple[str, str], Answer] = field(default_factory=dict)

    def add(self, answer: Answer, address: str) -> None:
        """Count one answer and remember a provider that could not be reached, or a destination that takes nothing."""
        self.count(answer.verdict)
        if answer.verdict is Verdict.BUSY:
            self.busy.setdefault((address, answer.reason), answer)
        if answer.verdict is Verdict.UNAVAILABLE:
            self.outage = answer

    def count(self, verdict: str, times: int = 1) -> None:
        """Count what needs no answer."""
        if times:
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + times


@dataclass(frozen=True, slots=True)
class Begun:
    """How a pass begins: hand-offs to ask about, what is claimed already, and whether it is a page to find a berth."""

    asked: Sequence[Doubt]
    claimed: Sequence[Claimed]
    crowd: bool


def _nothing() -> None:
    """Leave no berth, where none was needed."""


@dataclass(frozen=True, slots=True)
class Work:
    """One pass under way; `leave` gives its berth to the next page, once and early."""

    errand: SendPass
    tally: Tally
    stopping: Callable[[], bool]
    leave: Callable[[], None] = _nothing


class Sender:
    """Carries out send passes."""

    def __init__(self, outfit: Outfit) -> None:
        self._outfit = outfit
        self._berths = Berths(BERTHS)
        self._lookout = Lookout(outfit.timing)
        self._resolution = Resolution(outfit.timing, outfit.worker)

    async def send(self, errand: SendPass, tally: Tally, stopping: Callable[[], bool]) -> Plan:
        """Run one pass and return the plan its last look made.

        `tally` is filled while the pass runs; `stopping` is asked between claims, so that a draining worker starts
        nothing new. Raises only for the database: what a provider does is an answer.
        """
        begun = await self._begin(errand, stopping)
        if begun.crowd:
            async with self._berths.berth((errand.tenant_id, errand.channel), errand.priority) as leave:
                await self._carry_out(Work(errand, tally, stopping, leave), begun)
        else:
            await self._carry_out(Work(errand, tally, stopping), begun)
        return await self._finish(errand, tally)

    async def _carry_out(self, work: Work, begun: Begun) -> None:
        errand, claimed = work.errand, begun.claimed
        if begun.asked:
            await self._resolve(errand, begun.asked)
        if begun.asked or begun.crowd:
            claimed = [] if work.stopping() else await self._claim(errand)
        while claimed:
            page = len(claimed)
            await self._word_and_hand_off(work, claimed)
            if work.tally.outage or work.stopping() or page < self._outfit.desk.page:
                break
            claimed = await self._claim(errand)

    async def show_life(self, errand: SendPass) -> None:
        """Tell the watchdog that this pass is alive; called every few seconds while it runs."""
        async with self._outfit.database.tenant_transaction(errand.tenant_id) as connection:
            await still_here(connection, errand.carrier_id, self._outfit.timing.watch_grace)

    async def _begin(self, errand: SendPass, stopping: Callable[[], bool]) -> Begun:
        """Settle, and claim at once what needs no berth and no question about an earlier hand-off first."""
        outfit = self._outfit
        async with outfit.database.tenant_transaction(errand.tenant_id) as connection:
            ids = await lock_carried(connection, errand.carrier_id)
            asked: list[Doubt] = []
            if (await settle(connection, ids)).doubtful:
                asked = await doubts(connection, errand.carrier_id, errand.channel, outfit.desk.page)
            crowd = len(ids) > FEW
            if asked or crowd or stopping():
                return Begun(asked, [], crowd)
            return Begun([], await outfit.desk.claim(connection, ids, errand.tenant_id, errand.channel), crowd)

    async def _resolve(self, errand: SendPass, asked: Sequence[Doubt]) -> None:
        outfit = self._outfit
        suspects = [
            Suspect(doubt.id, doubt.tenant_id, message_id(doubt.id, outfit.mail_domain), doubt.provider)
            for doubt in asked
        ]
        answers = await outfit.channels[errand.channel].evidence(suspects)
        async with outfit.database.tenant_transaction(errand.tenant_id) as connection:
            await self._resolution.apply(connection, asked, answers)

    async def _claim(self, errand: SendPass) -> list[Claimed]:
        outfit = self._outfit
        async with outfit.database.tenant_transaction(errand.tenant_id) as connection:
            ids = await lock_carried(connection, errand.carrier_id)
            await settle(connection, ids)
            return await outfit.desk.claim(connection, ids, errand.tenant_id, errand.channel)

    async def _word_and_hand_off(self, work: Work, claimed: Sequence[Claimed]) -> None:
        """Find words for what has a template, then hand off; what has words of its own is not held up by a look."""
        lease = self._outfit.timing.claim_lease.total_seconds()
        now = asyncio.get_running_loop().time()
        if any(item.casting for item in claimed):
            worded = await self._outfit.wording.word(work.errand, claimed, now + lease * RENDERING_SHARE)
            for item in worded.given_back:
                await self._record(item, WORDLESS)
                work.tally.count(WORDLESS.verdict)
            work.tally.count(DeliveryState.FAILED, worded.failed)
            claimed = worded.ready
        if claimed:
            await self._hand_off_all(work, claimed, now + lease)

    async def _hand_off_all(self, work: Work, claimed: Sequence[Claimed], over: float) -> None:
        errand, left = work.errand, len(claimed)
        channel = self._outfit.channels[errand.channel]
        own_order = errand.channel in self._outfit.own_order
        free = asyncio.Semaphore(len(claimed) if own_order else self._outfit.width)
        clock = asyncio.get_running_loop().time
        packing = await self._packing(errand, claimed)

        async def one(item: Claimed) -> None:
            nonlocal left
            async with free:
                answer = await self._hand_off(channel, item, packing, over) if clock() < over else CLAIM_OVER
                await self._record(item, answer)
                work.tally.add(answer, item.parcel.address)
            left -= 1
            if left <= self._outfit.width:  # all are on their way: a server that lets them wait holds nobody else up
                work.leave()

        async with asyncio.TaskGroup() as group:
            for item in claimed:
                group.create_task(one(item))

    async def _packing(self, errand: SendPass, claimed: Sequence[Claimed]) -> Packing:
        packing = Packing(self._outfit.database, errand.tenant_id)
        if carrying := [item.parcel.notification_id for item in claimed if item.enclosures]:
            await packing.read_labels(carrying)
        return packing

    async def _hand_off(self, channel: Channel, item: Claimed, packing: Packing, over: float) -> Answer:
        """Hand one message off; what no provider has asked for when its claim is over leaves the queue."""
        outfit, marked = self._outfit, False
        clock = asyncio.timeout_at(over)

        async def mark(message: bytes | None, provider: str) -> bool:
            nonlocal marked
            if clock.expired():
                return False
            clock.reschedule(None)  # from now on the ledger decides
            marked = await outfit.ledger.mark(item.claim, message, provider)
            return marked

        try:
            async with clock:
                parcel = item.parcel
                if item.enclosures:
                    parcel = replace(parcel, enclosures=await packing.enclosures(parcel.notification_id))
                return await channel.hand_off(parcel, mark)
        except (DatabaseError, Unavailable):
            return Answer(Verdict.WITHDRAWN, Phase.CONNECT, "storage_unavailable")
        except Exception as error:
            if isinstance(error, TimeoutError) and clock.expired():
                return CLAIM_OVER
            # A fault of ours must not stop its neighbours: it counts as an attempt, or as unknown once it was marked.
            log.exception("hand-off of %s broke", public_id(DELIVERY, item.claim.delivery_id))
            verdict = Verdict.UNKNOWN if marked else Verdict.DEFERRED
            return Answer(verdict, Phase.BODY if marked else Phase.CONNECT, "internal_error")

    async def _record(self, item: Claimed, answer: Answer) -> None:
        if answer.verdict is not Verdict.UNKNOWN:
            await self._outfit.ledger.record(item.claim, answer)
            return
        try:
            async with self._outfit.database.tenant_transaction(item.parcel.tenant_id) as connection:
                await self._resolution.lose_track(connection, item.claim, answer)
        except (DatabaseError, Unavailable):
            log.warning("%s stays marked; its lease will end as unknown", public_id(DELIVERY, item.claim.delivery_id))

    async def _finish(self, errand: SendPass, tally: Tally) -> Plan:
        outfit = self._outfit
        async with outfit.database.tenant_transaction(errand.tenant_id) as connection:
            ids = await lock_carried(connection, errand.carrier_id)
            seen = await settle(connection, ids)
            if tally.outage:
                await put_off(connection, ids, errand.channel, tally.outage)
            if tally.busy:
                await tell_busy(connection, ids, tally.busy)
            if seen.waiting:
                await release(connection, errand.carrier_id, ids, outfit.timing.release_after)
            return await self._lookout.look(connection, errand.carrier_id)
