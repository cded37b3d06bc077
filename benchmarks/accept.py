"""Accepting with every check on, beside a bare FastAPI application that inserts one row; one process each."""

from dataclasses import asdict

from benchmarks.cpu import cpu_seconds
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.house import House, ordered
from benchmarks.load import Order
from benchmarks.scale import Scale

ROUNDS = 3


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Alternate rounds under the same load; only the measured application runs."""
    ours, bare = [], []
    for number in range(scale.rounds(ROUNDS)):
        await house.empty()
        async with house.running_bare_insert() as port:
            bare.append(await _loaded(Order(port, "/notifications", f"b{number}")))
        async with house.running("api", POSTROOM_BACKLOG_LIMIT="1000000"):
            key = house.stack.credentials.demo_key
            ours.append(await _loaded(Order(house.api_port, "/api/v1/notifications", f"a{number}", key)))

    def figures(name: str) -> tuple[Figure, Figure]:
        return Figure([one[name] for one in ours]), Figure([one[name] for one in bare])

    return [
        Finding(
            "accept",
            "requests, 64 connections",
            "/s",
            *figures("per_second"),
            goal=Goal(at_least=2_000),
            ratio_goal=Goal(at_least=1.0),
        ),
        Finding("accept", "CPU of application and database, for each", "ms", *figures("cpu")),
        Finding("accept", "latency p50", "ms", *figures("p50")),
        Finding("accept", "latency p99", "ms", *figures("p99"), goal=Goal(below=150)),
    ]


async def _loaded(order: Order) -> dict[str, float]:
    before = cpu_seconds()
    found = await ordered("benchmarks.load", asdict(order))
    cpu = (cpu_seconds() - before) * 1_000 / found["requests"]
    assert set(found["statuses"]) == {"202"}, f"Not everything was accepted: {found['statuses']}"
    return {"cpu": cpu} | {name: float(found[name]) for name in ("per_second", "p50", "p99")}
