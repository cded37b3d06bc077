"""The counts of a job sum to its total in every answer, while it is being sent, cancelled, retried and broken off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from postroom.channels.base import Answer, Mark, Parcel
from postroom.channels.in_app import InAppChannel
from postroom.contracts.vocabulary import ChannelKind, NotificationState
from postroom.database.engine import Database
from postroom.deliveries.handing import Tally
from postroom.deliveries.sending import Sender
from postroom.errors import Conflict
from postroom.identity import new_id
from postroom.jobs.batch import Batch, Recipient
from postroom.jobs.control import JobControl
from postroom.jobs.insertion import write_job
from postroom.jobs.reading import JobReading
from postroom.jobs.standing import JobStanding, JobStatus
from postroom.notifications.request import Request
from postroom.rates import Rate
from postroom.timing import Timing
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.house import gather, outfit, pass_over
from tests.fixtures.ledger import REJECTED
from tests.fixtures.rows import rows
from tests.fixtures.waiting import until

PEOPLE = 120
ACCEPTED = """
SELECT d.id FROM deliveries d JOIN notifications n ON n.id = d.notification_id
WHERE n.job_id = %s AND d.state = 'accepted'
"""
MOMENT = timedelta(seconds=0.2)  # a lost hand-off is found within a second
TIMING = replace(
    Timing(),
    claim_lease=2 * MOMENT,
    mark_to_body=MOMENT,
    record_margin=2 * MOMENT,
    absence_window=MOMENT,
    evidence_pause=MOMENT / 2,
)


class Choosy(InAppChannel):
    """An inbox that refuses every fifth person for good, the first time round."""

    refusing = True

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        if self.refusing and int((parcel.user_id or "0").rpartition("_")[2]) % 5 == 0:
            return REJECTED
        return await super().hand_off(parcel, mark)


async def begin(database: Database, tenant: Tenant) -> UUID:
    """Have a job accepted."""
    batch = Batch(
        id=new_id(),
        tenant_id=tenant.id,
        api_key_id=new_id(),
        request=Request((ChannelKind.IN_APP,), "Hello", body_text="Good day."),
        recipients=[Recipient(f"user_{number}") for number in range(PEOPLE)],
        place="/user_ids",
        life=timedelta(hours=1),
        fallback_after=timedelta(minutes=1),
    )
    async with database.tenant_transaction(tenant.id) as connection:
        await write_job(connection, batch, (), "user_rate_limited")
    return batch.id


@asynccontextmanager
async def watched(database: Database, tenant: Tenant, job: UUID) -> AsyncIterator[list[JobStanding]]:
    """Ask for the job's standing again and again, and hold every answer to its total."""
    reading, seen = JobReading(database), list[JobStanding]()

    async def poll() -> None:
        while True:
            seen.append(await reading.standing(tenant.id, job))
            await asyncio.sleep(0)

    poller = asyncio.create_task(poll())
    try:
        yield seen
    finally:
        poller.cancel()
        outcome = (await asyncio.gather(poller, return_exceptions=True))[0]
    assert isinstance(outcome, asyncio.CancelledError), outcome
    assert {sum(one.counts.values()) for one in seen} == {PEOPLE}


async def carriers(database: Database, job: UUID) -> list[UUID]:
    found = await rows(
        database, "SELECT DISTINCT carrier_id FROM notifications WHERE job_id = %s AND carrier_id IS NOT NULL", job
    )
    return [row["carrier_id"] for row in found]


async def carry(database: Database, tenant: Tenant, job: UUID, channel: Choosy) -> None:
    """Gather and run a pass over every carrier, as relay and workers do."""
    await gather(database, TIMING, tenant.id, alone=4)
    sender = Sender(outfit(database, TIMING, {ChannelKind.IN_APP: channel}))
    for carrier in await carriers(database, job):
        await sender.send(pass_over(tenant.id, carrier), Tally(), lambda: False)


async def carry_out(database: Database, tenant: Tenant, job: UUID, channel: Choosy) -> JobStanding:
    """Carry until nothing is open; returns how it stands then."""
    async with asyncio.timeout(30):
        while True:
            await carry(database, tenant, job, channel)
            standing = await JobReading(database).standing(tenant.id, job)
            if not standing.counts[NotificationState.OPEN]:
                return standing
            await asyncio.sleep(0.1)


async def test_while_it_is_sent_and_its_worker_is_killed(database: Database, tenants: Tenants) -> None:
    channel, tenant = Choosy(database), tenants.alice
    job = await begin(database, tenant)
    async with watched(database, tenant, job) as seen:
        for moment in (0.05, 0.15, 0.3):
            killed = asyncio.create_task(carry(database, tenant, job, channel))
            await asyncio.sleep(moment)
            killed.cancel()
            await asyncio.gather(killed, return_exceptions=True)
        last = await carry_out(database, tenant, job, channel)
    assert len({tuple(one.counts.values()) for one in seen}) > 2
    assert last.status is JobStatus.COMPLETED
    assert last.counts[NotificationState.SENT] == PEOPLE - PEOPLE // 5
    assert last.counts[NotificationState.FAILED] == PEOPLE // 5


async def test_while_it_is_cancelled_in_the_middle(database: Database, tenants: Tenants) -> None:
    channel, tenant = Choosy(database), tenants.alice
    job = await begin(database, tenant)
    control = JobControl(database, TIMING, Rate(1_000))
    async with watched(database, tenant, job) as seen:
        work = asyncio.create_task(carry(database, tenant, job, channel))
        await until(lambda: rows(database, ACCEPTED, job), 60)
        done = await control.cancel(tenant.id, job)
        await work
        last = await carry_out(database, tenant, job, channel)
    ends = last.counts
    assert done.cancelled > 0
    assert ends[NotificationState.CANCELLED] >= done.cancelled
    assert len(await rows(database, ACCEPTED, job)) == ends[NotificationState.SENT] > 0
    assert last.status is JobStatus.CANCELLED
    assert len(seen) > 1


async def test_while_what_failed_is_retried(database: Database, tenants: Tenants) -> None:
    channel, tenant = Choosy(database), tenants.alice
    job = await begin(database, tenant)
    control = JobControl(database, TIMING, Rate(1_000))
    async with watched(database, tenant, job) as seen:
        await carry_out(database, tenant, job, channel)
        channel.refusing = False
        retries = await asyncio.gather(*(control.retry(tenant.id, job) for _ in range(3)), return_exceptions=True)
        last = await carry_out(database, tenant, job, channel)
    assert sum(one.retried for one in retries if not isinstance(one, BaseException)) == PEOPLE // 5
    assert all(isinstance(one, Conflict) for one in retries if isinstance(one, BaseException))
    assert (last.status, last.counts[NotificationState.SENT]) == (JobStatus.COMPLETED, PEOPLE)
    inbox = await rows(
        database,
        "SELECT count(*) AS n, count(DISTINCT user_id) AS people FROM inbox_messages WHERE tenant_id = %s",
        tenant.id,
    )
    assert (inbox[0]["n"], inbox[0]["people"]) == (PEOPLE, PEOPLE)
    assert len(seen) > 1
