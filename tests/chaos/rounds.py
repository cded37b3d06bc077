"""One round: notifications on their way, some of them standing at named barriers, and a kill."""

import asyncio
from dataclasses import dataclass
from random import Random
from uuid import UUID

from tests.chaos.caller import Caller, Letter
from tests.chaos.gates import Gate, Gates
from tests.chaos.house import API, POSTGRES, TEMPORAL, WORKER, House
from tests.chaos.oracle import Verdict, ended, judge

WRITTEN = "SELECT count(*) AS count FROM notification_contents WHERE metadata->>'email' = ANY(%s)"

REACH_SECONDS = 20.0
END_SECONDS = 60.0
PRIORITIES = ("critical", "high", "medium", "low")
CLASSES = ("security", "transactional", "marketing")

# In the sink, most patient first: the worker waits seconds for the answer to the dot and less for the others. `mail`
# stops whoever comes next, so its message is the last to be sent.
STOPS = {"250": "250_before_record", "dot": "dot", "354": "354", "data": "marked", "rcpt": "rcpt", "mail": "claimed"}

GATES = {
    "carrier_written": Gate.POKING,
    "started": Gate.CLAIMING,
    "marking": Gate.MARKING,
    "recording": Gate.RECORDING,
    "recorded": Gate.SETTLING,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is killed where, and the seed of everything that is left to chance."""

    victim: str
    barrier: str
    seed: int

    @property
    def name(self) -> str:
        """The round in one word, as the report and the test's id call it."""
        return f"{self.victim}-{self.barrier}-{self.seed}"

    @property
    def barriers(self) -> list[str]:
        """The named barriers somebody stands at when the kill comes."""
        return list(STOPS.values()) if self.barrier == IN_THE_SINK else [self.barrier]


IN_THE_SINK = "conversation"
BEFORE_COMMIT = "accepted_uncommitted"
AFTER_COMMIT = "accepted_unanswered"
KILLED_ANYWHERE = (WORKER, TEMPORAL, POSTGRES)
BARRIERS = (IN_THE_SINK, *GATES)


def plans(rounds: int) -> list[Plan]:
    """Every victim at every barrier, `rounds` times; round n has seed n."""
    killed = [(victim, barrier) for victim in KILLED_ANYWHERE for barrier in BARRIERS]
    killed += [(API, BEFORE_COMMIT), (API, AFTER_COMMIT)]
    return [Plan(victim, barrier, seed) for seed in range(rounds) for victim, barrier in killed]


class Round:
    """Plays one plan in a house."""

    def __init__(self, house: House, caller: Caller, plan: Plan) -> None:
        self._house = house
        self._caller = caller
        self._plan = plan
        self._gates = Gates(house)
        self._chance = Random(plan.name)  # noqa: S311 - chance that can be repeated is what a seed is for
        self._ids: list[UUID] = []

    async def play(self) -> Verdict:
        """Kill at the barrier, start again, and judge once everything has ended or had its time."""
        try:
            await self._stand()
            await self._strike()
            await ended(self._house, self._ids, END_SECONDS)
            return await judge(self._house, self._ids)
        finally:
            self._house.sink.release()
            await self._gates.open()

    async def _stand(self) -> None:
        """Bring messages to the barriers, in a crowd of others."""
        if self._plan.barrier == IN_THE_SINK:
            self._ids += await self._caller.send_all(self._crowd())
            for stop in STOPS:
                await self._stand_in_the_sink(stop)
        else:
            gate = GATES[self._plan.barrier]
            await self._gates.shut(gate)
            self._ids += await self._caller.send_all(self._crowd())
            await self._gates.reached(gate, REACH_SECONDS)

    async def _stand_in_the_sink(self, stop: str) -> None:
        letter = self._letter(stop)
        self._house.sink.hold(stop, "" if stop == "mail" else letter.address)
        self._ids.append(await self._caller.send(letter))
        await self._house.sink.held(stop, REACH_SECONDS)

    async def _strike(self) -> None:
        """Kill, let go of the barriers, start again; what is not the worker may also come back to a standstill."""
        await asyncio.sleep(self._chance.choice((0.0, 0.01, 0.1)))
        victim = self._plan.victim
        await self._house.kill(victim)
        standstill = victim in (TEMPORAL, POSTGRES) and self._chance.random() < 0.5
        if not standstill:
            await self._let_go()
        await self._house.start(victim)
        await self._let_go()

    async def _let_go(self) -> None:
        self._house.sink.release()
        await self._gates.open()

    def _crowd(self) -> list[Letter]:
        return [self._letter(f"crowd{n}") for n in range(self._chance.randint(2, 8))]

    def _letter(self, name: str) -> Letter:
        return Letter(
            f"{self._plan.name}.{name}",
            priority=self._chance.choice(PRIORITIES),
            message_class=self._chance.choice(CLASSES),
        )


class RoundAtTheDoor(Round):
    """Kills the API around its commit, while callers wait for their answer and repeat their request afterwards.

    Before the commit nothing may be left of the request; after it, the repeated request finds the first one's row.
    """

    async def _stand(self) -> None:
        self._gate = Gate.COMMITTING if self._plan.barrier == AFTER_COMMIT else Gate.ACCEPTING
        self._letters = self._crowd()
        await self._gates.shut(self._gate)
        self._sending = asyncio.create_task(self._caller.send_all(self._letters))
        await self._gates.reached(self._gate, REACH_SECONDS)

    async def _strike(self) -> None:
        if self._gate is Gate.COMMITTING:
            # Frozen, it cannot hear that its COMMIT was carried out: it dies between the commit and the answer.
            self._house.freeze(API)
            await self._gates.open()
            await self._written(at_least=1)
        await self._house.kill(API)
        await self._gates.open()
        await self._house.start(API)
        self._ids += await self._sending
        assert len(set(self._ids)) == len(self._letters)
        assert await self._count() == len(self._letters)

    async def _written(self, at_least: int) -> None:
        async with asyncio.timeout(REACH_SECONDS):
            while await self._count() < at_least:
                await asyncio.sleep(0.01)

    async def _count(self) -> int:
        addresses = [letter.address for letter in self._letters]
        return int((await self._house.rows(WRITTEN, addresses))[0]["count"])
