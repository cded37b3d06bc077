"""The load generator, a process of its own: posts for some seconds over many connections; prints figures as JSON.

`python -m benchmarks.load '{"port": 8000, "path": "/api/v1/notifications", "bearer": "pr_...", "seconds": 5, ...}'`
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

import uvloop

from benchmarks.client import HttpConnection
from benchmarks.figures import percentile
from benchmarks.letters import Post

WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to do. Names begin with `prefix`, so that no two runs meet on an idempotency key."""

    port: int
    path: str
    prefix: str
    bearer: str | None = None
    seconds: float = 5.0
    connections: int = 64


@dataclass(slots=True)
class Loaded:
    """What came of it; latencies in milliseconds. `requests` counts the warm-up too."""

    requests: int
    per_second: float
    p50: float
    p99: float
    statuses: dict[str, int] = field(default_factory=dict)


async def load(order: Order) -> Loaded:
    """Keep every connection busy: a warm-up first, then what counts."""
    connections = [HttpConnection(order.port) for _ in range(order.connections)]
    post = Post(order.path, order.bearer)
    begin = time.perf_counter() + WARM_UP_SECONDS
    end = begin + order.seconds
    spent: list[float] = []
    statuses: Counter[str] = Counter()
    turns = [0] * len(connections)

    async def keep_busy(number: int, connection: HttpConnection) -> None:
        while (started := time.perf_counter()) < end:
            status = await connection.ask(post.to(f"{order.prefix}-{number}-{turns[number]}"))
            turns[number] += 1
            if started >= begin:
                spent.append(time.perf_counter() - started)
                statuses[str(status)] += 1

    await asyncio.gather(*(keep_busy(number, connection) for number, connection in enumerate(connections)))
    seconds = time.perf_counter() - begin
    for connection in connections:
        connection.close()
    milliseconds = [one * 1_000 for one in spent]
    p50, p99 = percentile(milliseconds, 0.5), percentile(milliseconds, 0.99)
    return Loaded(sum(turns), len(spent) / seconds, p50, p99, dict(statuses))


def main() -> None:
    """Carry out the order on the command line."""
    loaded = uvloop.run(load(Order(**json.loads(sys.argv[1]))))
    sys.stdout.write(json.dumps(asdict(loaded)) + "\n")


if __name__ == "__main__":
    main()
