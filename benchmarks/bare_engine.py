"""What carrying is compared with: one workflow with one activity that does nothing, client and worker in one process.

`python -m benchmarks.bare_engine '{"address": "127.0.0.1:7233", "count": 400, "in_flight": 100}'`
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from temporalio import activity, workflow
from temporalio.client import Client, GrpcCompression
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from postroom.identity import new_id

QUEUE = "bare"
PATIENCE = timedelta(seconds=60)
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Order:
    """How many workflows, and how many of them at once."""

    address: str
    count: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Ids:
    """A payload of ids, like the one Postroom's workflow has."""

    tenant_id: UUID
    notification_id: UUID


@activity.defn
async def nothing(ids: Ids) -> dict[str, int]:
    """Return a count, like a pass does."""
    return {"sent": 1 if ids else 0}


@workflow.defn
class OneActivity:
    """The smallest workflow that does something."""

    @workflow.run
    async def run(self, ids: Ids) -> dict[str, int]:
        """Run the activity."""
        return await workflow.execute_activity(nothing, ids, start_to_close_timeout=PATIENCE)


async def measure(order: Order) -> float:
    """Return workflows per second, from the first start to the last result, after a warm-up."""
    client = await Client.connect(
        order.address, data_converter=pydantic_data_converter, grpc_compression=GrpcCompression.NONE
    )
    async with Worker(client, task_queue=QUEUE, workflows=[OneActivity], activities=[nothing]):
        await run_many(client, WARM_UP, order.in_flight)
        began = time.perf_counter()
        await run_many(client, order.count, order.in_flight)
        return order.count / (time.perf_counter() - began)


async def run_many(client: Client, count: int, in_flight: int) -> None:
    """Run `count` workflows, `in_flight` at a time, each to its result."""
    free = asyncio.Semaphore(in_flight)

    async def one() -> None:
        async with free:
            ids = Ids(new_id(), new_id())
            await client.execute_workflow(OneActivity.run, ids, id=f"bare/{ids.notification_id}", task_queue=QUEUE)

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(one())


def main() -> None:
    """Carry out the order on the command line."""
    order = Order(**json.loads(sys.argv[1]))
    per_second = asyncio.run(measure(order))
    sys.stdout.write(json.dumps({"per_second": per_second, **asdict(order)}) + "\n")
    sys.stdout.flush()
    # The engine's core threads may still hold the interpreter's lock at exit and abort the process (sdk-python#300).
    os._exit(0)


if __name__ == "__main__":
    main()
