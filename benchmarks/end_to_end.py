"""From POST to 250, one carrier each, beside one bare workflow with one activity on the same server."""

from dataclasses import asdict, dataclass

from benchmarks.bare_engine import WARM_UP, Order
from benchmarks.cpu import cpu_seconds
from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding, Goal, percentile
from benchmarks.house import House, ordered
from benchmarks.scale import Scale

ROUNDS = 3
COUNT = 400
IN_FLIGHT = 50
ALONE = "SELECT count(*) FROM carriers WHERE kind = 'alone'"


@dataclass(frozen=True, slots=True)
class Round:
    """One round of either side; CPU of all processes but the load generator, milliseconds for each."""

    per_second: float
    cpu: float
    p50: float = 0.0


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Alternate rounds; nothing of Postroom runs beside the bare engine."""
    ours, bare = [], []
    for number in range(scale.rounds(ROUNDS)):
        bare.append(await bare_round(house))
        ours.append(await postroom_round(house, f"e{number}"))

    def figures(name: str) -> tuple[Figure, Figure]:
        return Figure([getattr(one, name) for one in ours]), Figure([getattr(one, name) for one in bare])

    what = f"notifications from POST to 250, {IN_FLIGHT} in flight, a workflow each"
    return [
        Finding("end to end", what, "/s", *figures("per_second"), ratio_goal=Goal(at_least=0.9)),
        Finding("end to end", "CPU of every process, for each", "ms", *figures("cpu")),
        Finding("end to end", "POST to 250 under this load, p50", "ms", figures("p50")[0]),
    ]


async def bare_round(house: House) -> Round:
    """Run bare workflows; the process that runs them counts its own CPU, without its start."""
    before = cpu_seconds()
    found = await ordered("benchmarks.bare_engine", asdict(Order(house.engine_address, COUNT, IN_FLIGHT)))
    server = (cpu_seconds() - before) * 1_000 / (COUNT + WARM_UP)
    return Round(found["per_second"], found["cpu_ms"] + server)


async def postroom_round(house: House, prefix: str) -> Round:
    """Send through the API and wait for the mails."""
    await house.empty()
    # However many are due at once, none of them shares a carrier.
    async with (
        house.running("api"),
        house.running("worker", POSTROOM_ALONE_THRESHOLD=str(IN_FLIGHT)),
        Driver.open(house) as driver,
    ):
        await driver.send_many(f"{prefix}w", WARM_UP, IN_FLIGHT)
        await house.settled()
        before = cpu_seconds()
        journey = await driver.send_many(prefix, COUNT, IN_FLIGHT)
        await house.settled()
        cpu = (cpu_seconds() - before) * 1_000 / COUNT
    assert await house.number(ALONE) == COUNT + WARM_UP
    return Round(journey.per_second, cpu, percentile(journey.milliseconds, 0.5))
