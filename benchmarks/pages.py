"""How fast a backlog drains: notifications queued while no worker runs travel as pages of up to 500."""

from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding
from benchmarks.house import House

COUNT = 2_000
ROUNDS = 3


async def measure(house: House) -> list[Finding]:
    """Queue through the API, then start the worker; counted from its first mail to its last."""
    return [
        Finding(
            "pages",
            f"{COUNT:,} queued notifications drained as pages",
            "/s",
            Figure([await _drained(house, f"p{number}") for number in range(ROUNDS)]),
        )
    ]


async def _drained(house: House, prefix: str) -> float:
    await house.empty()
    async with house.running("api"), Driver.open(house) as driver:
        arrivals = await driver.queue(prefix, COUNT)
        async with house.running("worker"):
            arrived = sorted([await arrival for arrival in arrivals])
            await house.settled()
    return (len(arrived) - 1) / (arrived[-1] - arrived[0])
