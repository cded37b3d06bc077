"""How a parallel run shares the tests out: file by file, and all that needs a running house in one lane."""

from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

CHAOS = "tests/chaos"
HOUSE = "tests.chaos.house"  # whoever imports it has a house to kill


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Files in the order of the collection, and those of a house one after the other in one process.

    They wait more than they compute, and a house takes long to build: so it is built once, and the other processes
    have the machine meanwhile.
    """

    def __init__(self, config: pytest.Config, log: object) -> None:
        config.option.loadscopereorder = False  # a file of many tests is not one that takes long
        super().__init__(config, log)
        files = (config.rootpath / CHAOS).glob("test_*.py")
        self._with_house = {_name(file, config.rootpath) for file in files if HOUSE in file.read_text()}

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return CHAOS if file in self._with_house else file


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()
