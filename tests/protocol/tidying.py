"""Keeps the model finite: what nothing reads any more is forgotten; workers are told apart only by what they do."""

from tests.protocol.rules import World
from tests.protocol.state import NOWHERE, OPEN_DELIVERY, Carrier, Delivery, Note, State, Worker

LEASED = frozenset({"claimed", "handing_off"})
WINDOWED = frozenset({"handing_off", "unknown", "held"})


def tidy(world: World, state: State) -> State:
    """The same state for everything that can still happen."""
    if world.rules.join_rechecks_carrier:  # else someone may still hold the id of a closed carrier
        state = forget_closed(state)
    return state._replace(
        notes=tuple(map(tidy_note, state.notes)),
        carriers=tuple(carrier and tidy_carrier(carrier) for carrier in state.carriers),
    )


def any_order(state: State) -> State:
    """The same state with its workers in a fixed order: which of them does a thing makes no difference."""
    return state._replace(workers=tuple(sorted(state.workers, key=worker_order)))


def forget_closed(state: State) -> State:
    """Free the slots of carriers that nothing can touch any more."""
    for index, carrier in enumerate(state.carriers):
        if carrier is None or carrier.state == "open" or carrier.run is not None or carrier.calling:
            continue
        if state.members(index) or any(worker.carrier == index for worker in state.workers):
            continue
        for i, note in enumerate(state.notes):
            if note.carrier == index:
                state = state.with_note(i, note._replace(carrier=NOWHERE))
        state = state.with_carrier(index, None)
    return state


def tidy_note(note: Note) -> Note:
    """A terminal notification waits for nothing; a row keeps only the times its state reads."""
    rows = tuple(map(tidy_row, note.deliveries))
    if note.state == "open":
        return note if rows == note.deliveries else note._replace(deliveries=rows)
    return note._replace(deliveries=rows, due=0, expires=0, promised=0, cancel_requested=False)


def tidy_row(row: Delivery) -> Delivery:
    """Leases belong to claims and hand-offs, windows to what was marked, holds to what is held."""
    lease = row.lease if row.state in LEASED else 0
    window = row.window if row.state in WINDOWED else 0
    hold = row.hold if row.state == "held" else 0
    tidied = row._replace(lease=lease, window=window, hold=hold)
    return tidied if row.state in OPEN_DELIVERY else tidied._replace(not_before=0, expires=0)


def tidy_carrier(carrier: Carrier) -> Carrier:
    """The watchdog reads `wake_by` of carriers nobody owes, the relay `next_poke` of the others."""
    if carrier.state == "closed":
        return carrier._replace(owed=False, news=False, next_poke=0, wake_by=0)
    if carrier.owed and carrier.wake_by > 0:
        return carrier._replace(wake_by=0)
    return carrier._replace(next_poke=0) if carrier.next_poke and not carrier.owed else carrier


def worker_order(worker: Worker) -> tuple[object, ...]:
    """Any fixed order will do."""
    hands = tuple(hand or () for hand in worker.hands)
    return (worker.carrier, worker.heard, worker.sent, hands)
