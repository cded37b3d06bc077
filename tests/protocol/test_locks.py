"""One lock order: no interleaving of lawful transactions waits in a ring, each careless order finds one."""

from itertools import combinations

import pytest

from tests.protocol.locks import CANCEL, CARRIER_FIRST, LAWFUL, MARK_AS_ASKED, PAGE_SETTLES, RECORD_THEN_NOTE, deadlock


def test_no_three_lawful_transactions_deadlock() -> None:
    for chosen in combinations(LAWFUL, 3):
        assert deadlock(chosen) is None, chosen


@pytest.mark.parametrize(
    ("careless", "lawful"),
    [(MARK_AS_ASKED, PAGE_SETTLES), (RECORD_THEN_NOTE, CANCEL), (CARRIER_FIRST, CANCEL)],
    ids=["marks in one order and settle in another", "record takes delivery then notification", "carrier first"],
)
def test_any_other_order_deadlocks(careless: tuple[str, ...], lawful: tuple[str, ...]) -> None:
    assert deadlock((careless, lawful)) is not None
