"""How a parallel run shares the tests out: file by file, and whatever kills a running house in one lane."""

from xdist.scheduler import LoadFileScheduling

HOUSE = "tests/chaos/"


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Files one after the other in the order of the tree, but the longest lane first.

    The tests of a house wait more than they compute, and need it whole: in one lane it is started once, and the other
    processes have the machine meanwhile.
    """

    def _split_scope(self, nodeid: str) -> str:
        return HOUSE if nodeid.startswith(HOUSE) else str(super()._split_scope(nodeid))
