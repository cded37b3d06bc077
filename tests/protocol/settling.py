"""What ends a notification in the model: settle (12), lapsed hand-offs (14), expiry (16), correction (17)."""

from tests.protocol.carriers import owe
from tests.protocol.rules import World
from tests.protocol.state import HANDED_OFF, IN_FLIGHT, OPEN_DELIVERY, Delivery, Note, State

FINAL_STAGES = frozenset({"rejected", "expired", "skipped", "cancelled"})
REVOCABLE = frozenset({"pending", "claimed", "deferred"})


def end(note: Note, state: str) -> Note:
    """Write a terminal state on both rows; what is already final stays as it is."""
    rows = tuple(
        row._replace(state=state, token=0, lease=0, not_before=0) if row.state in OPEN_DELIVERY else row
        for row in note.deliveries
    )
    return note._replace(state=state, deliveries=rows, promised=0)


def settle(world: World, note: Note) -> Note:
    """12: the first match; never while something is being handed off or held."""
    states = {row.state for row in note.deliveries}
    if note.state != "open" or states & IN_FLIGHT:
        return note
    if "accepted" in states:
        return end(note, "sent")
    if "failed" in states:  # nobody could tell
        return end(note, "failed")
    if note.cancel_requested:
        return end(note, "cancelled")
    if note.stage in FINAL_STAGES:
        return fall_back(world, note, states)
    return end(note, "expired") if note.expires == 0 else note


def fall_back(world: World, note: Note, states: set[str]) -> Note:
    """The next channel after a definite end of the one before, at the time now asked for; or the end of all.

    While a copy may be out that nobody knows of, another channel would be a duplicate.
    """
    if len(note.deliveries) == world.channels or note.expires == 0 or note.ambiguous:
        ends = (("rejected", "failed"), ("expired", "expired"), ("cancelled", "cancelled"), ("skipped", "skipped"))
        return end(note, next(state for of, state in ends if of in states))
    fresh = Delivery(state="pending", not_before=0, expires=note.expires)
    due = note.due if world.rules.reschedule_outlives_fall_back else 0
    return note._replace(deliveries=(*note.deliveries, fresh), due=due)


def bring_on(world: World, note: Note) -> Note:
    """As far as time and deliveries allow: 14, 16, 12."""
    row = note.last
    if note.state != "open":
        return note
    lapsed = row is not None and row.state == "handing_off" and row.lease == 0
    if row is not None and lapsed and world.rules.hand_off_is_never_reclaimed:
        note = note.with_last(row._replace(state="unknown", token=0, not_before=0))._replace(ambiguous=True)
    elif row is not None and row.state in REVOCABLE and min(note.expires, row.expires) == 0:
        note = note.with_last(row._replace(state="expired", token=0, lease=0, not_before=0))
    return settle(world, note)


def settle_members(world: World, state: State, index: int) -> State:
    """14, 16 and 12 over the members of a carrier: the first and the last step of a pass."""
    for i in state.members(index):
        state = state.with_note(i, bring_on(world, state.notes[i]))
    return state


def lapse(world: World, state: State, index: int) -> State | None:
    """14 by the sweeper: the lease of a hand-off ended without a word."""
    note = state.notes[index]
    row = note.last
    if note.state != "open" or row is None or row.state != "handing_off" or row.lease > 0:
        return None
    return owe(world, state.with_note(index, bring_on(world, note)), index)


def expire(world: World, state: State, index: int) -> State | None:
    """16 by the sweeper: the time-to-live of the notification."""
    note = state.notes[index]
    if note.state != "open" or note.expires > 0:
        return None
    if note.stage in HANDED_OFF:
        return None if world.rules.expiry_spares_in_flight else state.with_note(index, end(note, "expired"))
    return owe(world, state.with_note(index, bring_on(world, note)), index)


def correct(_world: World, state: State, index: int) -> State | None:
    """17: evidence of acceptance after the end."""
    note = state.notes[index]
    if note.state in {"open", "sent"} or not any(row.state == "accepted" for row in note.deliveries):
        return None
    return state.with_note(index, note._replace(state="sent"))
