"""Barriers inside Postgres: triggers of the tests make a chosen transition wait while a test holds an advisory lock."""

from contextlib import suppress
from enum import StrEnum

from psycopg import AsyncConnection, OperationalError

from tests.chaos.house import House
from tests.fixtures.waiting import until

KEY_BASE = 7_202_611_200


class Gate(StrEnum):
    """The barriers at which a transition stops, each inside its transaction, before anybody else can see it."""

    ACCEPTING = "accepted_uncommitted"
    COMMITTING = "accepted_unanswered"  # COMMIT was said
    POKING = "carrier_written"  # and nothing started
    CLAIMING = "started"  # and nothing claimed
    MARKING = "body_asked_for"  # and nothing marked
    MARKED = "marked"  # COMMIT was said, and no body sent
    RECORDING = "250_heard"  # and nothing recorded
    SETTLING = "recorded"  # and nothing settled
    TELLING = "digest_worded"  # and nothing told
    PAGING = "page_of_a_run_written"
    STEPPING = "step_written"  # the second of a sequence
    ERASING = "some_of_a_person_erased"
    CALLING = "task_poked"  # and not started, or signalled
    FREEZING = "chunk_frozen"  # a later one than the first, uncommitted
    COUNTING = "page_counted"
    COMPLETING = "task_ended"
    LAUNCHING = "task_launched"
    STEERING = "task_paused"  # or resumed
    IMPORTING = "piece_of_a_file_written"

    @property
    def key(self) -> int:
        """The advisory lock behind it."""
        return KEY_BASE + list(Gate).index(self)


FUNCTION = """
CREATE FUNCTION chaos_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::bigint); RETURN NEW; END $$
"""

TRIGGERS = {
    Gate.ACCEPTING: "TRIGGER {name} BEFORE INSERT ON notifications FOR EACH ROW",
    Gate.COMMITTING: "CONSTRAINT TRIGGER {name} AFTER INSERT ON notifications "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
    Gate.POKING: "TRIGGER {name} BEFORE UPDATE ON carriers FOR EACH ROW WHEN (NEW.pokes > OLD.pokes)",
    Gate.CLAIMING: "TRIGGER {name} BEFORE UPDATE ON deliveries FOR EACH ROW "
    "WHEN (NEW.state = 'claimed' AND OLD.state <> 'claimed')",
    Gate.MARKING: "TRIGGER {name} BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.state = 'handing_off')",
    Gate.MARKED: "CONSTRAINT TRIGGER {name} AFTER UPDATE ON deliveries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
    "WHEN (NEW.state = 'handing_off' AND OLD.state <> 'handing_off')",
    Gate.RECORDING: "TRIGGER {name} BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.state = 'accepted')",
    Gate.SETTLING: "TRIGGER {name} BEFORE UPDATE ON notifications FOR EACH ROW "
    "WHEN (OLD.state = 'open' AND NEW.state <> 'open')",
    Gate.TELLING: "TRIGGER {name} BEFORE UPDATE ON digests FOR EACH ROW WHEN (NEW.state IN ('sent', 'empty'))",
    Gate.PAGING: "TRIGGER {name} BEFORE UPDATE ON schedule_runs FOR EACH ROW WHEN (NEW.inserted > OLD.inserted)",
    Gate.STEPPING: "TRIGGER {name} BEFORE UPDATE ON enrolment_steps FOR EACH ROW "
    "WHEN (NEW.state = 'sent' AND NEW.position = 2)",
    Gate.ERASING: "TRIGGER {name} BEFORE UPDATE ON person_jobs FOR EACH ROW "
    "WHEN (NEW.done > OLD.done AND OLD.done > 0)",
    Gate.CALLING: "TRIGGER {name} BEFORE UPDATE ON campaign_tasks FOR EACH ROW WHEN (NEW.pokes > OLD.pokes)",
    Gate.FREEZING: "TRIGGER {name} BEFORE UPDATE ON campaign_tasks FOR EACH ROW WHEN (NEW.frozen_to > OLD.frozen_to)",
    Gate.COUNTING: "TRIGGER {name} BEFORE UPDATE ON task_pages FOR EACH ROW WHEN (NEW.counts <> OLD.counts)",
    Gate.COMPLETING: "TRIGGER {name} BEFORE UPDATE ON campaign_tasks FOR EACH ROW "
    "WHEN (NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL)",
    Gate.LAUNCHING: "TRIGGER {name} BEFORE UPDATE ON campaign_tasks FOR EACH ROW WHEN (NEW.epoch > OLD.epoch)",
    Gate.STEERING: "TRIGGER {name} BEFORE UPDATE ON campaign_tasks FOR EACH ROW "
    "WHEN ((OLD.state, NEW.state) IN (('sending', 'paused'), ('paused', 'sending')))",
    Gate.IMPORTING: "TRIGGER {name} BEFORE UPDATE ON contact_files FOR EACH ROW "
    "WHEN (NEW.position > OLD.position AND OLD.position > 0)",
}

WAITING = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND NOT granted AND (classid::bigint << 32) + objid::bigint = %s
"""


async def install_gates(house: House) -> None:
    """Put the triggers into this house's database."""
    async with await AsyncConnection.connect(house.database_url, autocommit=True) as connection:
        await connection.execute(FUNCTION)
        for gate, shape in TRIGGERS.items():
            trigger = shape.format(name=f"chaos_{gate}")
            await connection.execute(f"CREATE {trigger} EXECUTE FUNCTION chaos_gate('{gate.key}')".encode())


class Gates:
    """The gates of one house; all are open until one is shut."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._holding: AsyncConnection | None = None

    async def shut(self, gate: Gate) -> None:
        """From now on the transition waits. Returns once whoever was on the way is through."""
        self._holding = await AsyncConnection.connect(self._house.database_url, autocommit=True)
        await self._holding.execute("SELECT pg_advisory_lock(%s)", (gate.key,))

    async def cut_off(self, gate: Gate, victim: str, patience: float) -> None:
        """Kill when somebody stands before the gate, open it meanwhile, and start what was killed again."""
        try:
            await self.reached(gate, patience)
            await self._house.kill(victim)
        finally:
            await self.open()
        await self._house.start(victim)

    async def reached(self, gate: Gate, patience: float) -> None:
        """Wait until somebody stands before the gate.

        Raises:
            TimeoutError: nobody came within that many seconds.
        """

        async def someone_waits() -> bool:
            return bool(await self._house.rows(WAITING, gate.key))

        await until(someone_waits, patience)

    async def open(self) -> None:
        """Let go who waits; a killed Postgres has done so already."""
        if self._holding is None:
            return
        with suppress(OperationalError):
            await self._holding.close()
        self._holding = None
