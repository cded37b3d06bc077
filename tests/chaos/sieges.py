"""A bulk send under way while a part of the house is killed again and again, at barriers drawn by a seed."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.chaos.accounts import account, over
from tests.chaos.caller import Caller
from tests.chaos.gates import Gate
from tests.chaos.house import House
from tests.chaos.loads import DEMO
from tests.chaos.oracle import Verdict
from tests.chaos.plans import STOPS
from tests.chaos.rounds import kill_and_start
from tests.chaos.scene import Scene
from tests.chaos.tasks import Crowd, Task, launch
from tests.fixtures.waiting import until

PROGRESS_PATIENCE = 120.0
END_PATIENCE = 300.0
MOST = 0.8  # by then all have come but the one that waits for the end of the task

ON_THE_WAY = (*STOPS, Gate.CLAIMING, Gate.MARKING, Gate.MARKED, Gate.RECORDING, Gate.COUNTING)


@dataclass(frozen=True, slots=True)
class Fall:
    """Who is killed while somebody stands where."""

    victim: str
    barrier: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How many are told, and every kill meanwhile, in order and evenly spread."""

    name: str
    people: int
    falls: Sequence[Fall]
    to: tuple[str, ...] = ("ok",)


def drawn(name: str, people: int, victim: str, kills: int) -> Plan:
    """One victim many times: first in the freeze, at last in the end of the task, at what the seed says in between."""
    chance = Random(name)  # noqa: S311 - chance that can be repeated is what a seed is for
    between = [chance.choice(ON_THE_WAY) for _ in range(kills - 2)]
    return Plan(name, people, [Fall(victim, one) for one in (Gate.FREEZING, *between, Gate.COMPLETING)])


class Siege:
    """One task; `scene` collects what the report tells, `connections` how many were open at all kills together."""

    def __init__(self, house: House, caller: Caller, plan: Plan) -> None:
        self.scene = Scene(house, caller, plan.name)
        self.connections = 0
        self._house = house
        self._caller = caller
        self._plan = plan
        self._before = len(house.sink.accepted)

    async def run(self) -> Verdict:
        """Launch, kill as often as planned, wait for the end of the task and judge."""
        plan, tasks = self._plan, list[Task]()
        for number, fall in enumerate(plan.falls):
            await self._progress(MOST * plan.people * number / len(plan.falls))
            await self._kill(number, fall, tasks)
        await over(self._house, tasks, END_PATIENCE)
        return await account(self._house, tasks[0])

    async def _kill(self, number: int, fall: Fall, tasks: list[Task]) -> None:
        """Kill at the next barrier, which stands before anybody is told."""
        part = Scene(self._house, self._caller, f"{self._plan.name}.{number}")
        try:
            if fall.barrier in STOPS:
                self._house.sink.hold(fall.barrier)
            else:
                await part.shut(Gate(fall.barrier))
            if not tasks:
                tasks.append(await self._launched())
            if fall.barrier in STOPS:
                await self._house.sink.held(fall.barrier, PROGRESS_PATIENCE)
                part.barriers.append(STOPS[fall.barrier])
            else:
                await part.reached(Gate(fall.barrier), PROGRESS_PATIENCE)
            self.connections += self._house.sink.present
            await kill_and_start(part, fall.victim)
        finally:
            await part.let_go()
        self.scene.barriers += part.barriers

    async def _launched(self) -> Task:
        tenant_id = (await self._house.rows(DEMO))[0]["id"]
        crowd = Crowd(tenant_id, self._plan.name, self._plan.people, self._plan.to)
        return await launch(self._house.database_url, crowd)

    async def _progress(self, count: float) -> None:
        """Wait until the sink has taken so many; a task that is slow today is killed at all the same."""

        async def gone() -> bool:
            return len(self._house.sink.accepted) - self._before >= count

        with suppress(TimeoutError):
            await until(gone, PROGRESS_PATIENCE)
