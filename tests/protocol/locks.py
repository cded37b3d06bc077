"""Which row locks each transition takes and in what order, and a search for orders that wait in a ring."""

from collections.abc import Sequence

Transaction = tuple[str, ...]

# Two notifications n1, n2 with a delivery each (d1, d2) on one carrier c1: locks in the order they are taken.
PAGE_SETTLES = ("n1", "n2", "d1", "d2", "c1")
CANCEL = ("n2", "d2", "c1")
SILENCE_RECORDED = ("n1", "d1")
MARK_GROUP = ("d1", "d2")
RECORD_GROUP = ("d1", "d2")
LOOK = ("c1",)
JOIN = ("n1", "c1")

LAWFUL: tuple[Transaction, ...] = (PAGE_SETTLES, CANCEL, SILENCE_RECORDED, MARK_GROUP, RECORD_GROUP, LOOK, JOIN)

MARK_AS_ASKED = ("d2", "d1")
RECORD_THEN_NOTE = ("d2", "n2")
CARRIER_FIRST = ("c1", "n2")


def deadlock(transactions: Sequence[Transaction]) -> tuple[int, ...] | None:
    """Search every interleaving; return how many locks each holds where nobody can go on, or None."""
    first = (0,) * len(transactions)
    seen = {first}
    stack = [first]
    while stack:
        progress = stack.pop()
        following = [after for i in range(len(transactions)) if (after := step(transactions, progress, i))]
        if not following and progress != tuple(map(ended, transactions)):
            return progress
        fresh = [after for after in following if after not in seen]
        seen.update(fresh)
        stack += fresh
    return None


def ended(transaction: Transaction) -> int:
    """Progress of a transaction that has committed: one past its last lock."""
    return len(transaction) + 1


def step(transactions: Sequence[Transaction], progress: tuple[int, ...], mover: int) -> tuple[int, ...] | None:
    """One transaction takes its next lock or commits; None when it has to wait or is done."""
    mine, at = transactions[mover], progress[mover]
    if at == ended(mine):
        return None
    held = {
        name
        for i, other in enumerate(transactions)
        if i != mover and progress[i] <= len(other)
        for name in other[: progress[i]]
    }
    if at < len(mine) and mine[at] in held:
        return None
    return (*progress[:mover], at + 1, *progress[mover + 1 :])
