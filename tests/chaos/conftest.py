"""One running stack for all rounds of a test process, its gates, and the report at the end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.caller import Caller
from tests.chaos.gates import install_gates
from tests.chaos.house import House, Told, open_house
from tests.chaos.report import Report

REPORT = pytest.StashKey[Report]()


@pytest.fixture(scope="package")
async def running_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Everything runs: Postgres with fsync on, Temporal with its state on disk, the API, a worker."""
    async with open_house(tmp_path_factory.mktemp("house")) as house:
        await install_gates(house)
        yield house


@pytest.fixture
def told() -> Told:
    """What parts are told; a file with wishes has its own, and no part is started twice for each of its tests."""
    return {}


@pytest.fixture
async def house(running_house: House, told: Told) -> AsyncIterator[House]:
    """The house with everything in its place, whatever the test before has done to it."""
    await running_house.put_in_order(told)
    yield running_house
    running_house.sink.release()


@pytest.fixture(scope="package")
async def caller(running_house: House) -> AsyncIterator[Caller]:
    """A product team's client."""
    client = Caller(running_house.api_url, running_house.api_key)
    yield client
    await client.close()


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Report:
    """What the rounds write into."""
    return pytestconfig.stash.setdefault(REPORT, Report(pytestconfig.getoption("rounds")))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the report, and write it where `--report` says."""
    report = config.stash.get(REPORT, None)
    if report is None:
        return
    terminalreporter.section("kill -9 at named barriers")
    for line in report.lines():
        terminalreporter.write_line(line)
    if path := config.getoption("report"):
        report.write(Path(path))
