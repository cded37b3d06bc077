"""Control actions in the model: cancel, reschedule, send-now and retry, each under the notification's lock."""

from tests.protocol.carriers import owe
from tests.protocol.rules import World
from tests.protocol.settling import bring_on, settle
from tests.protocol.state import HANDED_OFF, NOWHERE, State

NOT_STARTED = frozenset({"pending", "claimed", "deferred"})
FIXED = HANDED_OFF | {"accepted"}


def cancel(world: World, state: State, index: int) -> State | None:
    """Answer `cancelled` while nothing is being handed off, `cancelling` otherwise."""
    note = state.notes[index]
    if state.actions == 0 or note.state != "open" or note.cancel_requested or note.stage == "accepted":
        return None
    state = state._replace(actions=state.actions - 1)
    if note.stage in HANDED_OFF:
        note = bring_on(world, note._replace(cancel_requested=True, unclaimable=True))
    elif world.rules.control_writes_delivery:
        if note.last and note.stage in NOT_STARTED:
            note = note.with_last(note.last._replace(state="cancelled", token=0, lease=0))
        note = settle(world, note._replace(cancel_requested=True, unclaimable=True))
        note = note._replace(cancelled=note.state == "cancelled")
    else:
        note = note._replace(state="cancelled", unclaimable=True, cancelled=True)
    return owe(world, state, index).with_note(index, note)


def reschedule(world: World, state: State, index: int) -> State | None:
    """Move the due time and take a claim back with it."""
    note = state.notes[index]
    delay = world.ticks.delay
    if state.actions == 0 or note.state != "open" or note.stage in FIXED or delay >= note.expires:
        return None
    state = state._replace(actions=state.actions - 1)
    note = note._replace(due=delay, promised=delay, send_now=False)
    if note.last and note.stage in NOT_STARTED:
        share = note.expires if len(note.deliveries) == world.channels else delay + world.ticks.channel_life
        row = note.last._replace(not_before=delay, expires=min(note.expires, share))
        if world.rules.control_writes_delivery:
            row = row._replace(state="pending", token=0, lease=0)
        note = note.with_last(row)
    return owe(world, state, index).with_note(index, note)


def send_now(world: World, state: State, index: int) -> State | None:
    """Skip every wait; on a held message it is the caller's own decision to send again."""
    note = state.notes[index]
    row = note.last
    if state.actions == 0 or note.state != "open" or note.stage == "accepted":
        return None
    state = state._replace(actions=state.actions - 1)
    note = note._replace(due=0, send_now=True, promised=0)
    if row is None or row.state in {"pending", "claimed"}:
        note = note if row is None else note.with_last(row._replace(not_before=0))
    elif row.state == "deferred":
        note = note.with_last(row._replace(state="pending", not_before=0))
    elif row.state == "held":
        if row.resends > 0 or note.cancel_requested or min(note.expires, row.expires) == 0:
            return None
        note = note.with_last(row._replace(state="pending", not_before=0, hold=0, resends=1))
    return owe(world, state, index).with_note(index, note)


def retry(world: World, state: State, index: int) -> State | None:
    """Open a failed notification again, unless it turns out to have been accepted."""
    note = state.notes[index]
    row = note.last
    if state.actions == 0 or note.state != "failed" or row is None:
        return None
    if world.rules.retry_spares_accepted and any(each.state == "accepted" for each in note.deliveries):
        return None
    again = row._replace(
        state="pending",
        not_before=0,
        expires=world.ticks.life,
        resends=row.resends + (1 if note.ambiguous else 0),
    )
    note = note.with_last(again)._replace(
        state="open",
        carrier=NOWHERE,
        cancel_requested=False,
        unclaimable=False,
        send_now=False,
        due=0,
        expires=world.ticks.life,
    )
    return state.with_note(index, note)._replace(actions=state.actions - 1)
