"""The send pass: the one activity that reaches providers."""

from temporalio import activity

from activities.beating import beating
from activities.failures import translated
from postroom.contracts.carriers import Plan, SendPass
from postroom.contracts.vocabulary import Priority
from postroom.deliveries.handing import Tally
from postroom.deliveries.sending import Sender
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
            async with beating(self._beat_seconds, tally.verdicts, lambda: sender.show_life(errand)):
                return await sender.send(errand, tally, activity.is_worker_shutdown)
