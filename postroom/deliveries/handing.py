"""Handing off what was claimed: words, connections, marks and answers; the same for notifications and for tasks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.attachments.packing import Packing
from postroom.channels.base import Answer, Channel, Phase, Suspect, Verdict
from postroom.contracts.vocabulary import ChannelKind, DeliveryState, Priority
from postroom.database.engine import Database
from postroom.deliveries.claiming import Claimed, Desk
from postroom.deliveries.ledger import Ledger
from postroom.deliveries.reconciling import Doubt, Resolution
from postroom.deliveries.wording import Wording
from postroom.errors import Unavailable
from postroom.identity import DELIVERY, message_id, public_id
from postroom.timing import Timing

log = logging.getLogger(__name__)

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


def _nothing() -> None:
    """Leave no berth, where none was needed."""


def _never() -> bool:
    """Halt for nothing."""
    return False


async def _unasked() -> None:
    """Ask nobody why a mark was refused."""


@dataclass(slots=True)
class Lot:
    """What is handed off together: whose it is, over which channel, how urgent.

    `leave` gives the berth of its pass to the next page, once and early. What has not been begun when `halted` says so
    stays here; `refused` is called after a mark was, and may find out why.
    """

    tenant_id: UUID
    channel: ChannelKind
    priority: Priority
    tally: Tally
    leave: Callable[[], None] = _nothing
    halted: Callable[[], bool] = _never
    refused: Callable[[], Awaitable[None]] = _unasked


class Hands:
    """Words, hands off and records what was claimed, and asks what became of hand-offs nobody answered."""

    def __init__(self, outfit: Outfit) -> None:
        self._outfit = outfit
        self._resolution = Resolution(outfit.timing, outfit.worker)

    async def resolve(self, lot: Lot, asked: Sequence[Doubt]) -> None:
        """Ask the provider what became of earlier hand-offs, and apply what it says."""
        outfit = self._outfit
        suspects = [
            Suspect(doubt.id, doubt.tenant_id, message_id(doubt.id, outfit.mail_domain), doubt.provider)
            for doubt in asked
        ]
        answers = await outfit.channels[lot.channel].evidence(suspects)
        async with outfit.database.tenant_transaction(lot.tenant_id) as connection:
            await self._resolution.apply(connection, asked, answers)

    async def word_and_hand_off(self, lot: Lot, claimed: Sequence[Claimed]) -> None:
        """Find words for what has a template, and a footer for marketing; then hand off.

        What has words of its own and needs nothing else is not held up by a look.
        """
        lease = self._outfit.timing.claim_lease.total_seconds()
        now = asyncio.get_running_loop().time()
        if any(item.cast is not None or item.parcel.unsubscribe_url for item in claimed):
            worded = await self._outfit.wording.word(
                lot.tenant_id, lot.priority, claimed, now + lease * RENDERING_SHARE
            )
            for item in worded.given_back:
                await self._record(item, WORDLESS)
                lot.tally.count(WORDLESS.verdict)
            lot.tally.count(DeliveryState.FAILED, worded.failed)
            claimed = worded.ready
        if claimed:
            await self._hand_off_all(lot, claimed, now + lease)

    async def _hand_off_all(self, lot: Lot, claimed: Sequence[Claimed], over: float) -> None:
        left = len(claimed)
        own_order = lot.channel in self._outfit.own_order
        clock = asyncio.get_running_loop().time
        packing = await self._packing(lot, claimed)
        waiting = iter(claimed)

        async def hand() -> None:
            nonlocal left
            for item in waiting:  # each hand takes the next one
                over_now = clock() >= over or lot.halted()
                answer = CLAIM_OVER if over_now else await self._hand_off(lot, item, packing, over)
                await self._record(item, answer)
                lot.tally.add(answer, item.parcel.address)
                left -= 1
                if left <= self._outfit.width:  # all are on their way: a server that lets them wait holds nobody up
                    lot.leave()

        async with asyncio.TaskGroup() as group:
            for _ in range(left if own_order else min(left, self._outfit.width)):
                group.create_task(hand())

    async def _packing(self, lot: Lot, claimed: Sequence[Claimed]) -> Packing:
        packing = Packing(self._outfit.database, lot.tenant_id)
        if carrying := [
            item.parcel.notification_id for item in claimed if item.enclosures and item.parcel.notification_id
        ]:
            await packing.read_labels(carrying)
        return packing

    async def _hand_off(self, lot: Lot, item: Claimed, packing: Packing, over: float) -> Answer:
        """Hand one message off; what no provider has asked for when its claim is over leaves the queue."""
        outfit, marked = self._outfit, False
        clock = asyncio.timeout_at(over)

        async def mark(message: bytes | None, provider: str) -> bool:
            nonlocal marked
            if clock.expired():
                return False
            clock.reschedule(None)  # from now on the ledger decides
            marked = await outfit.ledger.mark(item.claim, message, provider)
            if not marked:
                await lot.refused()
            return marked

        try:
            async with clock:
                parcel = item.parcel
                if item.enclosures and parcel.notification_id:
                    parcel = replace(parcel, enclosures=await packing.enclosures(parcel.notification_id))
                return await outfit.channels[lot.channel].hand_off(parcel, mark)
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
