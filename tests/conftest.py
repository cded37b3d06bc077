"""What every test may ask for by name, and what none may do: speak to another machine."""

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.fixtures.cluster import end_run, new_run_folder

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

    from tests.lanes import Lanes

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.engine"]

RUN_FOLDER = pytest.StashKey[Path]()
# The same examples in every run: a failure can be repeated, and no run fails by the luck of the draw.
hypothesis.settings.register_profile("house", derandomize=True, deadline=None)
hypothesis.settings.load_profile("house")

FAR_REACHING = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many seeds the chaos tests play per barrier, and where their report goes."""
    parser.addoption("--rounds", type=int, default=1, help="seeds per barrier and victim in tests/chaos")
    parser.addoption("--report", help="write what tests/chaos found into this JSON file")


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the run, or take the one of the process that started this one."""
    given = getattr(config, "workerinput", {}).get("run_folder")
    config.stash[RUN_FOLDER] = Path(given) if given else new_run_folder()
    if not given and config.option.basetemp is None:
        # Its usual place is closed again by every run that begins, to the servers of other runs as well.
        config.option.basetemp = config.stash[RUN_FOLDER] / "tmp"
    sys.addaudithook(refuse_other_machines)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process waits for another at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/chaos/"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "Lanes | None":
    """Share files out by lanes."""
    from tests.lanes import Lanes

    return Lanes(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: "WorkerController") -> None:
    """Tell a parallel worker where the run's folder is."""
    node.workerinput["run_folder"] = str(node.config.stash[RUN_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the run shared, in the process that began it."""
    if not hasattr(config, "workerinput"):
        end_run(config.stash[RUN_FOLDER])


@pytest.fixture(scope="session")
def run_folder(pytestconfig: pytest.Config) -> Path:
    """Folder shared by all processes of this test run."""
    return pytestconfig.stash[RUN_FOLDER]


def refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """Let sockets reach this machine only: a test that needs the network is a test that fails elsewhere."""
    if event not in FAR_REACHING or not isinstance(address := arguments[1], tuple):
        return
    host = str(address[0])
    if host != "localhost" and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise PermissionError(f"A test tried to reach {host}:{address[1]}.")
