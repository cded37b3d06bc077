"""From POST to 250, one carrier each, beside one bare workflow with one activity on the same server."""

from benchmarks.bare_engine import Order
from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.house import House, ordered

ROUNDS = 3
COUNT = 400
IN_FLIGHT = 100
WARM_UP = 50
ALONE = "SELECT count(*) FROM carriers WHERE kind = 'alone'"


async def measure(house: House) -> list[Finding]:
    """Alternate rounds; nothing of Postroom runs beside the bare engine."""
    ours, bare = [], []
    for number in range(ROUNDS):
        bare.append((await ordered("benchmarks.bare_engine", Order(house.engine_address, COUNT, IN_FLIGHT)))["per_second"])
        ours.append(await one_round(house, f"e{number}"))
    return [
        Finding(
            "end to end",
            "notifications, POST to 250, one workflow each",
            "/s",
            Figure(ours),
            Figure(bare),
            ratio_goal=Goal(at_least=0.9),
        )
    ]


async def one_round(house: House, prefix: str) -> float:
    """Notifications per second of one round."""
    await house.empty()
    # However many are due at once, none of them shares a carrier.
    async with (
        house.running("api"),
        house.running("worker", POSTROOM_ALONE_THRESHOLD=str(IN_FLIGHT)),
        Driver.open(house) as driver,
    ):
        await driver.send_many(f"{prefix}w", WARM_UP, IN_FLIGHT)
        await house.settled()
        journey = await driver.send_many(prefix, COUNT, IN_FLIGHT)
        await house.settled()
    assert await house.number(ALONE) == COUNT + WARM_UP
    return journey.per_second
