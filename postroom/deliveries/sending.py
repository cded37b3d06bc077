"""One send pass: everything due in one carrier over one channel is decided, handed off, recorded and settled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postroom.carriers.looking import Lookout
from postroom.carriers.poking import still_here
from postroom.contracts.carriers import Plan, SendPass
from postroom.deliveries.berths import Berths
from postroom.deliveries.claiming import Claimed
from postroom.deliveries.handing import Hands, Lot, Outfit, Tally
from postroom.deliveries.locking import lock_carried
from postroom.deliveries.reconciling import Doubt, doubts
from postroom.deliveries.settling import settle
from postroom.deliveries.waiting import put_off, release, tell_busy

FEW = 20  # members of a carrier, which go at once; more are a page
BERTHS = 2  # pages of one tenant at work over one channel: while one ends, the other keeps the connections busy


@dataclass(frozen=True, slots=True)
class Begun:
    """How a pass begins: hand-offs to ask about, what is claimed already, and whether it is a page to find a berth."""

    asked: Sequence[Doubt]
    claimed: Sequence[Claimed]
    crowd: bool


@dataclass(frozen=True, slots=True)
class Work:
    """One pass under way, and what it hands off."""

    errand: SendPass
    lot: Lot
    stopping: Callable[[], bool]


class Sender:
    """Carries out send passes."""

    def __init__(self, outfit: Outfit) -> None:
        self._outfit = outfit
        self._hands = Hands(outfit)
        self._berths = Berths(BERTHS)
        self._lookout = Lookout(outfit.timing)

    async def send(self, errand: SendPass, tally: Tally, stopping: Callable[[], bool]) -> Plan:
        """Run one pass and return the plan its last look made.

        `tally` is filled while the pass runs; `stopping` is asked between claims, so that a draining worker starts
        nothing new. Raises only for the database: what a provider does is an answer.
        """
        begun = await self._begin(errand, stopping)
        lot = Lot(errand.tenant_id, errand.channel, errand.priority, tally)
        if begun.crowd:
            async with self._berths.berth((errand.tenant_id, errand.channel), errand.priority) as leave:
                lot.leave = leave
                await self._carry_out(Work(errand, lot, stopping), begun)
        else:
            await self._carry_out(Work(errand, lot, stopping), begun)
        return await self._finish(errand, tally)

    async def _carry_out(self, work: Work, begun: Begun) -> None:
        errand, claimed = work.errand, begun.claimed
        if begun.asked:
            await self._hands.resolve(work.lot, begun.asked)
        if begun.asked or begun.crowd:
            claimed = [] if work.stopping() else await self._claim(errand)
        while claimed:
            page = len(claimed)
            await self._hands.word_and_hand_off(work.lot, claimed)
            if work.lot.tally.outage or work.stopping() or page < self._outfit.desk.page:
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

    async def _claim(self, errand: SendPass) -> list[Claimed]:
        outfit = self._outfit
        async with outfit.database.tenant_transaction(errand.tenant_id) as connection:
            ids = await lock_carried(connection, errand.carrier_id)
            await settle(connection, ids)
            return await outfit.desk.claim(connection, ids, errand.tenant_id, errand.channel)

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
