"""What carrying is compared with: bare workflows with one activity each, client and worker in one process.

`python -m benchmarks.bare_engine '{"address": "127.0.0.1:7233", "count": 400, "in_flight": 100}'`
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass

from temporalio.client import Client, GrpcCompression
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from benchmarks.bare_workflow import Ids, OneActivity, nothing
from postroom.identity import new_id

QUEUE = "bare"
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Order:
    """How many workflows, and how many of them at once."""

    address: str
    count: int
    in_flight: int


async def measure(order: Order) -> dict[str, float]:
    """Return workflows per second, from the first start to the last result, and this process's CPU for each."""
    client = await Client.connect(
        order.address, data_converter=pydantic_data_converter, grpc_compression=GrpcCompression.NONE
    )
    async with Worker(client, task_queue=QUEUE, workflows=[OneActivity], activities=[nothing]):
        await run_many(client, WARM_UP, order.in_flight)
        began, spent = time.perf_counter(), time.process_time()
        await run_many(client, order.count, order.in_flight)
        seconds, spent = time.perf_counter() - began, time.process_time() - spent
        return {"per_second": order.count / seconds, "cpu_ms": spent * 1_000 / order.count}


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
    measured = asyncio.run(measure(Order(**json.loads(sys.argv[1]))))
    sys.stdout.write(json.dumps(measured) + "\n")
    sys.stdout.flush()
    # The engine's core threads may still hold the interpreter's lock at exit and abort the process (sdk-python#300).
    os._exit(0)


if __name__ == "__main__":
    main()
