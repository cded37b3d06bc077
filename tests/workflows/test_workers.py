"""What a worker process takes: everything, or one kind beside others that take the rest."""

from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from temporalio.client import Client

from activities.campaigns import CampaignActivities
from activities.carriers import CarrierActivities
from activities.passes import PassActivities
from postroom.contracts.vocabulary import Carries
from postroom.database.engine import Database
from postroom.deliveries.sending import Sender
from postroom.timing import Timing
from tests.fixtures.engine import PAGE
from tests.fixtures.house import outfit
from workflows.queues import CAMPAIGN, CRITICAL, WORKFLOWS
from workflows.workers import Carrying, carriers_workers

SINGLE = {CRITICAL, "send-email", "send-in_app", "send-webhook"}


@pytest.mark.parametrize(
    ("carries", "queues"),
    [
        (Carries.EVERYTHING, {WORKFLOWS, CAMPAIGN, *SINGLE}),
        (Carries.NOTIFICATIONS, {WORKFLOWS, *SINGLE}),
        (Carries.CAMPAIGNS, {WORKFLOWS, CAMPAIGN}),
    ],
)
async def test_a_process_takes_what_it_is_for(
    engine: Client, database: Database, carries: Carries, queues: set[str]
) -> None:
    timing = Timing()
    equipped = outfit(database, timing, None)
    passes = PassActivities(Sender(equipped), Sender(equipped), timing)
    carrying = Carrying(CarrierActivities(database, timing), passes, CampaignActivities(equipped, PAGE))
    workers = carriers_workers(engine, carrying, timedelta(seconds=1), carries)
    async with AsyncExitStack() as stack:  # one that was made has to be run, or its queue stays taken
        for worker in workers:
            await stack.enter_async_context(worker)
        assert {worker.task_queue for worker in workers} == queues
