"""What rounds are made of: a crowd of notifications on their way, and some that stand still at a barrier."""

import asyncio
from collections.abc import Sequence
from random import Random
from uuid import UUID

from postroom.identity import NOTIFICATION, public_id
from tests.chaos.caller import Caller, Letter
from tests.chaos.gates import Gate, Gates
from tests.chaos.house import House
from tests.chaos.oracle import Verdict, ended, judge
from tests.chaos.plans import STOPS

REACH_SECONDS = 20.0
END_SECONDS = 90.0
PRIORITIES = ("critical", "high", "medium", "low")
CLASSES = ("security", "transactional", "marketing")
LAST = "mail"  # this stop sees senders only, so it takes whoever comes next

STATES = "SELECT state FROM deliveries WHERE notification_id = %s"
STATE_AT = {"mail": "claimed", "rcpt": "claimed", "data": "claimed"}
STATE_PAST_MARK = "handing_off"


class Scene:
    """One round's notifications; `ids` are those that were accepted.

    `barriers` are the named barriers at which somebody stood when the kill came, `places` says who stood at which.
    """

    def __init__(self, house: House, caller: Caller, name: str) -> None:
        self.house = house
        self.caller = caller
        self.chance = Random(name)  # noqa: S311 - chance that can be repeated is what a seed is for
        self.ids: list[UUID] = []
        self.at_stop: dict[str, UUID] = {}
        self.barriers: list[str] = []
        self.places: dict[str, str] = {}
        self.name = name
        self._gates = Gates(house)

    async def stand_in_the_sink(self, stops: Sequence[str], classes: Sequence[str] = CLASSES) -> None:
        """Bring one message to each of these stops of the sink."""
        early = [stop for stop in stops if stop != LAST]
        await asyncio.gather(*(self._stand(stop, classes) for stop in early))
        if LAST in stops:
            await self._stand(LAST, classes)

    async def _stand(self, stop: str, classes: Sequence[str]) -> None:
        letter = self.letter(stop, classes)
        self.house.sink.hold(stop, "" if stop == LAST else letter.address)
        self.at_stop[stop] = await self.caller.send(letter)
        self.ids.append(self.at_stop[stop])
        await self.house.sink.held(stop, REACH_SECONDS)

    async def stand_at(self, gate: Gate) -> None:
        """Bring a crowd to a gate of the database."""
        await self.shut(gate)
        await self.send_crowd()
        await self.reached(gate)

    async def shut(self, gate: Gate) -> None:
        """Shut a gate before anybody comes."""
        await self._gates.shut(gate)

    async def reached(self, gate: Gate, patience: float = REACH_SECONDS) -> None:
        """Wait until somebody stands there; who else does is not known."""
        await self._gates.reached(gate, patience)
        self.barriers.append(gate)

    async def note_standing(self) -> None:
        """Note who stands where, just before a kill: a slow machine may have missed a stop by now."""
        for stop, one in self.at_stop.items():
            states = [row["state"] for row in await self.house.rows(STATES, one)]
            if STATE_AT.get(stop, STATE_PAST_MARK) in states:
                self.barriers.append(STOPS[stop])
                self.places[public_id(NOTIFICATION, one)] = STOPS[stop]

    async def let_go(self) -> None:
        """Open every barrier."""
        self.house.sink.release()
        await self._gates.open()

    async def send_crowd(self) -> None:
        """Send a few that nobody stops on purpose."""
        self.ids += await self.caller.send_all(self.crowd())

    def crowd(self) -> list[Letter]:
        """Two to eight letters of any priority and class."""
        return [self.letter(f"crowd{n}") for n in range(self.chance.randint(2, 8))]

    def letter(self, name: str, classes: Sequence[str] = CLASSES) -> Letter:
        """One letter of this scene."""
        priority, message_class = self.chance.choice(PRIORITIES), self.chance.choice(classes)
        return Letter(f"{self.name}.{name}", priority=priority, message_class=message_class)

    async def judged(self, patience: float = END_SECONDS) -> Verdict:
        """Wait until all have ended, at most so many seconds, and judge."""
        await ended(self.house, self.ids, patience)
        return await judge(self.house, self.ids)
