"""Whole tasks over services: over the quota they wait, all frozen they pause, and everybody gets it once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from postroom.contracts.campaigns import TaskPlan
from postroom.identity import SENDER_SERVICE, public_id
from postroom.limits.allowance import Allowance
from postroom.sender_services.models import ALL_FROZEN, ServiceStatus
from postroom.timing import Timing
from tests.channels.email.conftest import Net
from tests.channels.email.scripted import Scripted
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import Mailroom, Sale, by_state, launched, open_mailroom, people, task_row
from tests.sender_services.office import SOON, Office

BUSY = b"421 4.3.2 busy\r\n"
LONG_AGO = "UPDATE sender_services SET updated_at = now() - interval '1 day' WHERE id = %s"
MINE = "UPDATE campaign_tasks SET created_by = %s WHERE id = %s"


class Post:
    """A mailroom whose mail goes over the office's services."""

    def __init__(self, office: Office, mailroom: Mailroom) -> None:
        self.office, self.mailroom = office, mailroom
        self.task_id = UUID(int=0)

    async def launch(self, audience: int, services: Sequence[UUID] = ()) -> None:
        await people(self.office.database, self.office.tenant.id, audience)
        named = {"services": [public_id(SENDER_SERVICE, one) for one in services]} if services else {}
        self.task_id = await launched(self.office.database, Sale(self.office.tenant.id, sender=named))
        await self.office.adjust(MINE, self.office.key_id, self.task_id)

    async def run(self) -> TaskPlan:
        return await self.mailroom.run(self.office.tenant.id, self.task_id)

    async def run_until(self, state: str) -> None:
        async with asyncio.timeout(60):
            while (await self.row())["state"] != state:
                await self.run()
                await asyncio.sleep(0.02)

    async def row(self) -> dict[str, Any]:
        return await task_row(self.office.database, self.task_id)


@asynccontextmanager
async def post_of(office: Office, timing: Timing = SOON) -> AsyncIterator[Post]:
    async with (
        office.worker(timing=timing) as worker,
        Sink.open() as unused,
        open_mailroom(office.database, unused, timing, worker.channel) as mailroom,
    ):
        yield Post(office, mailroom)
        await worker.desk.watch.close()


def once_each(server: Scripted, *others: Scripted) -> int:
    """How many people got it; nobody twice."""
    people_served = Counter(to for one in (server, *others) for mail in one.received for to in mail.recipients)
    assert set(people_served.values()) == {1}
    return len(people_served)


async def test_what_is_over_the_quota_waits_for_the_next_window(office: Office, net: Net) -> None:
    server = await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", limits=Allowance(per_day=30))
    async with post_of(office) as post:
        await post.launch(50)
        await office.adjust(LONG_AGO, service_id)
        await post.run()
        row = await post.row()
        assert (row["state"], row["held_reason"], once_each(server)) == ("sending", "provider_daily_limit", 30)
        assert await by_state(office.database, post.task_id) == {"accepted": 30, "pending": 20}
        await office.change(service_id, f"smtp://127.0.0.1:{server.port}", limits=Allowance(per_day=1000))
        row = await post.row()
        assert (row["owed"], row["held_reason"]) == (True, "provider_daily_limit")
        await post.run_until("completed")
        assert once_each(server) == 50
    assert (await office.row(service_id))["errors"] == 0


async def test_a_task_pauses_when_all_are_frozen_and_goes_on_by_itself(office: Office, net: Net) -> None:
    server = await net.serve(script={"MAIL": [b"250 2.1.0 ok\r\n"] * 20 + [BUSY] * 4})
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", connections=1)
    async with post_of(office) as post:
        await post.launch(60)
        await post.run_until("paused")
        assert (await post.row())["reason"] == ALL_FROZEN
        assert 20 <= once_each(server) < 60
        await post.run_until("completed")
        assert once_each(server) == 60
    row = await office.row(service_id)
    assert (row["status"], row["errors"], row["last_error"]) == ("active", 0, "provider_busy")
    assert await by_state(office.database, post.task_id) == {"accepted": 60}


async def test_frozen_and_thawed_by_hand_in_the_middle(office: Office, net: Net) -> None:
    server = await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}")
    async with post_of(office) as post:
        await post.launch(40, [service_id])
        await office.services.set_status(office.tenant.id, service_id, ServiceStatus.FROZEN)
        await post.run_until("paused")
        assert (server.received, (await post.row())["reason"]) == ([], ALL_FROZEN)
        await office.services.set_status(office.tenant.id, service_id, ServiceStatus.ACTIVE)
        row = await post.row()
        assert (row["state"], row["owed"], row["held_until"]) == ("sending", True, None)
        await asyncio.sleep(1.1)
        await post.run_until("completed")
        assert once_each(server) == 40


async def test_two_services_share_a_task(office: Office, net: Net) -> None:
    one, other = await net.serve(), await net.serve()
    for weight, server in ((3, one), (1, other)):
        await office.service(f"smtp://127.0.0.1:{server.port}", weight=weight)
    async with post_of(office) as post:
        await post.launch(80)
        await post.run_until("completed")
    assert once_each(one, other) == 80
    assert (len(one.received), len(other.received)) == (60, 20)
