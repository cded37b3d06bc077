"""kill -9 in the middle of an import: it goes on at the piece where it was cut off, and its counts add up."""

from random import Random

import pytest

from tests.chaos.gates import Gate, Gates
from tests.chaos.house import POSTGRES, TEMPORAL, WORKER, House
from tests.chaos.report import Report
from tests.chaos.test_jobs import Desk, open_desk
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

REACH_SECONDS = 120.0
PATIENCE = 480.0
UNREADABLE = 7  # of each hundred lines one has no address that could be one

PEOPLE = "SELECT count(*) AS count, count(DISTINCT user_id) AS people FROM contacts WHERE user_id LIKE %s"
TAGGED = "SELECT count(*) AS count FROM contact_tags WHERE tag = %s"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    once = metafunc.config.getoption("rounds") == 1
    metafunc.parametrize("victim", [WORKER] if once else [WORKER, TEMPORAL, POSTGRES])


async def test_an_import_is_taken_up_where_it_was_cut_off(house: House, report: Report, victim: str) -> None:
    people, kills = report.size(3_000, 50_000), report.size(1, 5)
    name = f"file-{victim}"
    lines = ["user_id,email", *(line(name, number) for number in range(people))]
    refused = sum(number % 100 == UNREADABLE for number in range(people))
    gates, chance = Gates(house), Random(name)  # noqa: S311 - a fixed seed is the point
    async with open_desk(house) as desk:
        await gates.shut(Gate.IMPORTING)
        asked = {"content": "\n".join(lines).encode(), "params": {"tag": name}}
        headers = {"Content-Type": "text/csv", "Idempotency-Key": name}
        job = (await desk.ask("POST", "/contacts/imports", headers=headers, **asked))["job_id"]
        await gates.cut_off(Gate.IMPORTING, victim, REACH_SECONDS)
        for _ in range(kills - 1):
            await written(desk, job, chance.randint(1, people // kills))
            await house.restart(victim)
        counts = await written(desk, job, people)
    [found] = await house.rows(PEOPLE, f"{name}-%")
    report.note(f"import, {victim} killed {kills} times", lines=people, counts=counts)
    assert counts == {"created": people - refused, "rejected": refused}
    assert found == {"count": people - refused, "people": people - refused}
    assert await house.rows(TAGGED, name) == [{"count": people - refused}]


def line(name: str, number: int) -> str:
    """One line of the file."""
    address = "nowhere" if number % 100 == UNREADABLE else f"ok+{name}.{number}@example.org"
    return f"{name}-{number},{address}"


async def written(desk: Desk, job: str, more: int) -> dict[str, int]:
    """Wait until so many more lines have been written, or all; returns the counts, which sum to all at every moment."""
    seen: dict[str, dict[str, int]] = {}
    begun: list[int] = []

    async def enough() -> bool:
        shown = await desk.ask("GET", f"/jobs/{job}")
        assert sum(shown["counts"].values()) == shown["total"]
        seen["counts"] = {key: count for key, count in shown["counts"].items() if count}
        done = shown["total"] - shown["counts"]["open"]
        begun.append(done)
        return bool(shown["status"] == "completed" or done >= begun[0] + more)

    await until(enough, PATIENCE)
    return seen["counts"]
