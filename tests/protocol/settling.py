"""What ends a notification in the model: settle (12), lapsed hand-offs (14), expiry (16), correction (17)."""

from tests.protocol.rules import World
from tests.protocol.state import IN_FLIGHT, OPEN_DELIVERY, Delivery, Note, State


def end(note: Note, state: str) -> Note:
    """Write a terminal state on both rows; what is already final stays as it is."""
    rows = tuple(
        row._replace(state=state, token=0, lease=0, not_before=0) if row.state in OPEN_DELIVERY else row
        for row in note.deliveries
    )
    return note._replace(state=state, deliveries=rows, promised=0)


def settle(world: World, note: Note) -> Note:
    """12: the first match; never while something is being handed off or held."""
    if note.state != "open":
        return note
    if any(row.state == "accepted" for row in note.deliveries):
        return end(note, "sent")
    if any(row.state in IN_FLIGHT for row in note.deliveries):
        return note
    if note.cancel_requested:
        return end(note, "cancelled")
    if note.stage in {"rejected", "expired", "skipped"}:
        return fall_back(world, note)
    if note.expires == 0:
        return end(note, "expired")
    return note


def fall_back(world: World, note: Note) -> Note:
    """The next channel after a definite end of the one before, at the time now asked for; or the end of all."""
    if len(note.deliveries) == world.channels:
        return end(note, "failed" if any(row.state == "rejected" for row in note.deliveries) else note.stage)
    if note.expires == 0:
        return end(note, "expired")
    fresh = Delivery(state="pending", not_before=0, expires=note.expires)
    due = note.due if world.rules.reschedule_outlives_fall_back else 0
    return note._replace(deliveries=(*note.deliveries, fresh), due=due)


def settle_members(world: World, state: State, index: int) -> State:
    """12 over the members of a carrier: the first and the last step of a pass."""
    for i in state.members(index):
        state = state.with_note(i, settle(world, state.notes[i]))
    return state


def lapse(_world: World, state: State, index: int) -> State | None:
    """14: the lease of a hand-off ended without a word."""
    note = state.notes[index]
    row = note.last
    if note.state != "open" or row is None or row.state != "handing_off" or row.lease > 0:
        return None
    lost = row._replace(state="unknown", token=0, not_before=0)
    return state.with_note(index, note.with_last(lost)._replace(ambiguous=True))


def expire(world: World, state: State, index: int) -> State | None:
    """16: the time-to-live of the notification, or of one channel while another waits its turn."""
    note = state.notes[index]
    if note.state != "open":
        return None
    spared = note.stage not in {"absent", "pending", "claimed", "deferred"}
    if spared and (world.rules.expiry_spares_in_flight or note.stage not in IN_FLIGHT):
        return None
    if note.expires == 0:
        return state.with_note(index, end(note, "expired"))
    row = note.last
    if row is None or row.expires > 0 or len(note.deliveries) == world.channels:
        return None
    over = row._replace(state="expired", token=0, lease=0, not_before=0)
    return state.with_note(index, settle(world, note.with_last(over)))


def correct(_world: World, state: State, index: int) -> State | None:
    """17: evidence of acceptance after the end."""
    note = state.notes[index]
    if note.state in {"open", "sent"} or not any(row.state == "accepted" for row in note.deliveries):
        return None
    return state.with_note(index, note._replace(state="sent"))
