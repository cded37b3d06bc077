"""Operators at the API: they steer tasks, and repeat a request until it is answered."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from postroom.database.engine import open_database
from postroom.identity import TASK, parse_id, public_id
from tests.campaigns.ground import letter
from tests.chaos.house import House
from tests.chaos.loads import DEMO
from tests.chaos.tasks import PLAIN, POOLS, Crowd, Task, Terms, gather, launch
from tests.chaos.test_jobs import Desk, open_desk
from tests.fixtures.database import Tenant
from tests.fixtures.sink import Behaviour
from tests.fixtures.waiting import until

PATIENCE = 240.0
CONNECTIONS = 16  # of campaigns, unless the deployment says otherwise; each has one open transaction at most
SLOW = Behaviour.hang("dot", 0.05)
OPEN = "SELECT count(*) AS count FROM deliveries WHERE task_id = %s AND state = 'handing_off'"


class Operator:
    """Somebody who steers one task at a time, and sees what the sink took of it."""

    def __init__(self, house: House, desk: Desk) -> None:
        self.house = house
        self.desk = desk
        self._told: dict[UUID, tuple[int, int]] = {}

    async def crowd(self, name: str, people: int) -> Crowd:
        """People of the demo tenant, not written yet."""
        return Crowd((await self.house.rows(DEMO))[0]["id"], name, people)

    async def half_sent(self, crowd: Crowd, terms: Terms = PLAIN) -> Task:
        """Launch a task and wait until some of it has gone."""
        task = await launch(self.house.database_url, crowd, terms)
        await self.goes_on(task, crowd.count // 10)
        return task

    async def drafted(self, crowd: Crowd, message_class: str = "transactional", **more: Any) -> Task:
        """Make a draft where nobody has to approve it; its template has the name of the crowd."""
        await self.desk.ask("PUT", "/settings/review", json={"required": False})
        await gather(self.house.database_url, crowd)
        async with open_database(self.house.database_url, POOLS) as database:
            await letter(database, Tenant(crowd.tenant_id, "demo"), crowd.name)
        campaign = await self.desk.ask("POST", "/campaigns", json={"name": crowd.name})
        terms = {
            "campaign_id": campaign["id"],
            "name": crowd.name,
            "class": message_class,
            "rule": crowd.rule,
            "content": {"template": crowd.name},
            **more,
        }
        made = await self.desk.ask("POST", "/tasks", json=terms)
        return Task(parse_id(TASK, made["id"]), crowd)

    async def signal(self, task: Task, verb: str, body: Mapping[str, Any] | None = None) -> str:
        """Send a signal; returns what came of it, or the code of the refusal."""
        method = "PUT" if verb == "pace" else "POST"
        answer = await self.desk.ask(method, f"/tasks/{public_id(TASK, task.id)}/{verb}", json=body)
        return str(answer.get("outcome") or answer.get("code") or answer.get("state"))

    def told(self, task: Task) -> int:
        """How many mails of a task the sink has taken; reads only what came since it was asked last."""
        read, count = self._told.get(task.id, (0, 0))
        fresh = self.house.sink.accepted[read:]
        count += sum(task.crowd.holds(letter.to) for letter in fresh)
        self._told[task.id] = read + len(fresh), count
        return count

    async def goes_on(self, task: Task, more: int) -> None:
        """Wait until so many more have been taken."""
        enough = self.told(task) + more

        async def some_have_gone() -> bool:
            return self.told(task) > enough

        await until(some_have_gone, PATIENCE)

    async def settled(self, task_id: UUID) -> None:
        """Wait until no hand-off of a task is open."""

        async def none_open() -> bool:
            return not (await self.house.rows(OPEN, task_id))[0]["count"]

        await until(none_open, PATIENCE)


@asynccontextmanager
async def open_operator(house: House) -> AsyncIterator[Operator]:
    """An operator at a house whose mail server takes its time."""
    house.sink.behave("ok", SLOW)
    async with open_desk(house) as desk:
        yield Operator(house, desk)
    house.sink.behave("ok")
