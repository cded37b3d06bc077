"""The send pass: the one activity that reaches providers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from psycopg import Error as DatabaseError
from temporalio import activity

from activities.failures import translated
from postroom.contracts.carriers import Plan, SendPass
from postroom.contracts.vocabulary import Priority
from postroom.deliveries.sending import Sender, Tally
from postroom.errors import Unavailable
from postroom.loops import end
from postroom.timing import Timing


class PassActivities:
    """Runs send passes; critical ones have a sender, and so connections, of their own."""

    def __init__(self, ordinary: Sender, critical: Sender, timing: Timing) -> None:
        self._ordinary = ordinary
        self._critical = critical
        self._beat_seconds = timing.heartbeat_patience.total_seconds() / 4

    @activity.defn
    async def send_pass(self, errand: SendPass) -> Plan:
        """Send what is due in a carrier over one channel and return the plan of its last look."""
        sender = self._critical if errand.priority is Priority.CRITICAL else self._ordinary
        tally = Tally()
        with translated():
            async with self._beating(sender, errand, tally.verdicts):
                return await sender.send(errand, tally, activity.is_worker_shutdown)

    @asynccontextmanager
    async def _beating(self, sender: Sender, errand: SendPass, counts: Mapping[str, int]) -> AsyncIterator[None]:
        """Heartbeat to the engine and to the watchdog while the pass runs; details are counts, for people only."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(self._beat_seconds)
                activity.heartbeat(dict(counts))
                with suppress(Unavailable, DatabaseError):
                    await sender.show_life(errand)

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            await end(beating)
