"""A backlog that drains as pages while a part of the house is killed again and again, at barriers drawn by a seed."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos.caller import Caller
from tests.chaos.gates import Gate
from tests.chaos.house import API, POSTGRES, TEMPORAL, WORKER, House
from tests.chaos.loads import DEMO, Load, accept
from tests.chaos.oracle import OPEN, UNHELD, Verdict, ended, judge
from tests.chaos.plans import AT_THE_DOOR, FURTHER_IN, STOPS
from tests.chaos.rounds import kill_and_start, kill_at_the_door
from tests.chaos.scene import Scene
from tests.fixtures.waiting import until

PROGRESS_PATIENCE = 60.0
END_PATIENCE = 300.0
ALL_BUT_THE_LAST = 0.8  # by then the last kill has come: all of them meet a backlog

BARRIERS: dict[str, Sequence[str]] = {
    WORKER: (*STOPS, *FURTHER_IN),
    TEMPORAL: (*STOPS, *FURTHER_IN),
    POSTGRES: (*STOPS, *FURTHER_IN, *AT_THE_DOOR),
    API: AT_THE_DOOR,
}
PAGES = """
SELECT count(DISTINCT c.id) AS count FROM carriers c JOIN notifications n ON n.carrier_id = c.id
WHERE n.id = ANY(%s) AND c.size > 1
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What drains and how often who is killed meanwhile; half of it waits from the beginning, half comes in waves."""

    name: str
    victim: str
    messages: int
    kills: int
    barriers: Sequence[str]
    asked: bool = True  # whether there is somebody who knows what became of a hand-off


class Drain:
    """One drain; `scene` collects what the report tells, `connections` how many were open at all kills together."""

    def __init__(self, house: House, caller: Caller, plan: Plan) -> None:
        self.scene = Scene(house, caller, plan.name)
        self.connections = 0
        self._house = house
        self._caller = caller
        self._plan = plan
        self._before = 0
        self._wave = plan.messages // 2 // plan.kills

    async def run(self) -> Verdict:
        """Kill as often as planned while it drains, wait for the end and judge."""
        plan = self._plan
        self._before = len(self._house.sink.accepted)
        await self._load("backlog", plan.messages // 2)
        for number in range(plan.kills):
            await self._progress(ALL_BUT_THE_LAST * len(self.scene.ids) * number / plan.kills)
            await self._kill(number)
        await ended(self._house, self.scene.ids, END_PATIENCE, OPEN if plan.asked else UNHELD)
        return await judge(self._house, self.scene.ids)

    async def pages(self) -> int:
        """How many of its carriers carried more than one."""
        return int((await self._house.rows(PAGES, self.scene.ids))[0]["count"])

    async def _kill(self, number: int) -> None:
        """Kill at the next barrier; a new wave sees to it that somebody comes to stand there."""
        part = Scene(self._house, self._caller, f"{self._plan.name}.{number}")
        barrier = part.chance.choice(self._plan.barriers)
        try:
            if barrier in AT_THE_DOOR:
                await self._load(f"wave{number}", self._wave)
                await kill_at_the_door(part, self._plan.victim, Gate(barrier))
            else:
                await self._stand(part, barrier, number)
                self.connections += self._house.sink.present
                await kill_and_start(part, self._plan.victim)
        finally:
            await part.let_go()
        self.scene.ids += part.ids
        self.scene.barriers += part.barriers

    async def _stand(self, part: Scene, barrier: str, number: int) -> None:
        if barrier in STOPS:
            self._house.sink.hold(barrier)
            await self._load(f"wave{number}", self._wave)
            await self._house.sink.held(barrier, PROGRESS_PATIENCE)
            part.barriers.append(STOPS[barrier])
            return
        await part.shut(Gate(barrier))
        await self._load(f"wave{number}", self._wave)
        await part.reached(Gate(barrier))

    async def _load(self, name: str, count: int) -> None:
        tenant_id = (await self._house.rows(DEMO))[0]["id"]
        load = Load(tenant_id, f"{self._plan.name}.{name}", count)
        self.scene.ids += await accept(self._house.database_url, load)

    async def _progress(self, count: float) -> None:
        """Wait until the sink has taken so many; a drain that is slow today is killed at all the same."""

        async def gone() -> bool:
            return len(self._house.sink.accepted) - self._before >= count

        with suppress(TimeoutError):
            await until(gone, PROGRESS_PATIENCE)
