"""One pass over a page of a task: everything due in it is decided, handed off, recorded and settled."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Error as DatabaseError

from postroom.campaigns.pages import owe_tasks
from postroom.campaigns.sending.claiming import PageDesk
from postroom.campaigns.sending.holding import hold
from postroom.campaigns.sending.narrowing import Straits
from postroom.campaigns.sending.orders import Order, order
from postroom.campaigns.sending.pacing import Grant, reserve
from postroom.campaigns.sending.poking import still_here
from postroom.campaigns.sending.settling import doubts, settle_page, tidy
from postroom.contracts.campaigns import PagePass
from postroom.contracts.vocabulary import Priority
from postroom.deliveries.berths import Berths
from postroom.deliveries.claiming import Claimed
from postroom.deliveries.handing import Hands, Lot, Outfit, Tally
from postroom.deliveries.reconciling import Doubt
from postroom.errors import Unavailable

SHORTEST = timedelta(milliseconds=10)
PULSE_SECONDS = 1.0  # between two looks of a pass at its task: does it still send, and at which pace
BERTHS = 2  # pages of one tenant at work: while one ends, the other keeps the connections busy
GOES_ON = "SELECT state = 'sending' AS goes_on, pace FROM campaign_tasks WHERE id = %(task_id)s"


@dataclass(slots=True)
class Gate:
    """Whether a task still sends, as far as this pass has heard; closed, or while no provider is there, nothing begins.

    The mark decides. But it refuses behind an envelope, which costs a connection, so that after one refusal, and every
    second, the task is asked about. What was let through by another pace than the task has now is given back.
    """

    outfit: Outfit
    at: PagePass
    tally: Tally
    stopping: Callable[[], bool]
    closed: bool = False
    pace: Mapping[str, Any] | None = None
    repaced: bool = False

    def halted(self) -> bool:
        """Whether to begin nothing new."""
        return self.closed or self.repaced or self.tally.outage is not None or self.stopping()

    async def ask(self) -> None:
        """Find out whether the task still sends, and at which pace."""
        if not self.closed:
            async with self.outfit.database.tenant_transaction(self.at.tenant_id) as connection:
                row = await (await connection.execute(GOES_ON, {"task_id": self.at.task_id})).fetchone()
            self.closed = row is None or not row["goes_on"]
            self.repaced = row is not None and row["pace"] != self.pace

    @asynccontextmanager
    async def listening(self, pace: Mapping[str, Any]) -> AsyncIterator[None]:
        """Ask every second, while what was let through by a pace is handed off; by another one it would not all go."""
        over, self.pace = asyncio.Event(), pace

        async def listen() -> None:
            while not self.halted():
                with suppress(TimeoutError):
                    async with asyncio.timeout(PULSE_SECONDS):
                        await over.wait()
                    return
                with suppress(DatabaseError, Unavailable):
                    await self.ask()

        listener = asyncio.create_task(listen())
        try:
            yield
        finally:
            over.set()
            await listener
            self.repaced = False


class PageSender:
    """Carries out passes over pages."""

    def __init__(self, outfit: Outfit) -> None:
        self._outfit = outfit
        self._hands = Hands(outfit)
        self._berths = Berths(BERTHS)
        self._desk = PageDesk(outfit.desk)
        self._straits = Straits(BERTHS)

    async def send(self, at: PagePass, tally: Tally, stopping: Callable[[], bool]) -> None:
        """Run one pass over each page in turn.

        `tally` is filled while the pass runs. What a provider does is an answer; raises only for the database.
        """
        gate = Gate(self._outfit, at, tally, stopping)
        for page in (at.page, *at.also):
            if gate.halted():
                return
            await self._send(at, page, tally, gate)

    async def show_life(self, at: PagePass) -> None:
        """Tell the watchdog that this pass is alive; called every few seconds while it runs."""
        async with self._outfit.database.tenant_transaction(at.tenant_id) as connection:
            await still_here(connection, at.task_id, self._outfit.timing)

    async def _send(self, at: PagePass, page: int, tally: Tally, gate: Gate) -> None:
        begun, asked = await self._begin(at, page)
        if begun is None:
            return
        lot = Lot(at.tenant_id, begun.way, Priority.LOW, tally, halted=gate.halted, refused=gate.ask)
        if asked:
            await self._hands.resolve(lot, asked)
        if begun.goes_on:
            await self._hand_off_page(begun, lot, gate)
        self._straits.learn(at.task_id, tally.outage)
        await self._finish(at, page, tally)

    async def _begin(self, at: PagePass, page: int) -> tuple[Order | None, Sequence[Doubt]]:
        async with self._outfit.database.tenant_transaction(at.tenant_id) as connection:
            begun = await order(connection, at.task_id, page)
            if begun is None:
                return None, ()
            survey = await tidy(connection, begun)
            doubtful = survey.doubtful or survey.lapsed
            return begun, await doubts(connection, begun, self._outfit.desk.page) if doubtful else ()

    async def _hand_off_page(self, begun: Order, lot: Lot, gate: Gate) -> None:
        """Claim and hand off until nothing of the page is due, the provider is away, or the task stops.

        Whoever waits for the pace holds no berth; a page that was begun has its next one before the others.
        """
        ends = asyncio.get_running_loop().time() + self._outfit.timing.pace_stay.total_seconds()
        urgency = int(Priority.LOW)
        while granted := await self._places(begun, lot, ends):
            async with self._berths.berth((begun.tenant_id, begun.way), urgency) as lot.leave:
                claimed = await self._claim(begun, granted.count)
                if not claimed:
                    return
                async with gate.listening(granted.pace):
                    await self._hands.word_and_hand_off(lot, claimed)
            urgency = Priority.LOW - 1

    async def _places(self, begun: Order, lot: Lot, ends: float) -> Grant | None:
        """Wait here for a place by the pace, as long as a pass may stay; returns how many may go, if any.

        Woken every second: a pace may have been changed, the task paused.
        """
        wanted = self._straits.width(begun.id, self._outfit.desk.page)
        while not lot.halted():
            async with self._outfit.database.tenant_transaction(begun.tenant_id) as connection:
                granted = await reserve(connection, begun.id, wanted)
            if granted.count:
                return granted
            wait = max(granted.wait, SHORTEST).total_seconds()
            if asyncio.get_running_loop().time() + wait > ends:
                return None
            await asyncio.sleep(min(wait, PULSE_SECONDS))
        return None

    async def _claim(self, begun: Order, limit: int) -> list[Claimed]:
        async with self._outfit.database.tenant_transaction(begun.tenant_id) as connection:
            return await self._desk.claim(connection, begun, limit)

    async def _finish(self, at: PagePass, page: int, tally: Tally) -> None:
        async with self._outfit.database.tenant_transaction(at.tenant_id) as connection:
            now = await order(connection, at.task_id, page)
            if now:
                await settle_page(connection, now, self._outfit.timing.page_gather)
            if tally.outage:
                await hold(connection, at.task_id, tally.outage)
            if now and not now.goes_on:
                # Its run may be gone, and the next one have looked and gone to rest before there was anybody to ask
                # about; to a run of a task that sends the page was due all the time.
                await owe_tasks(connection, [at.task_id])
