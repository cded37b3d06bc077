"""Carriers in the model: the relay gathers, joins and pokes (1-3), the watchdog (15), the engine answers a poke."""

from tests.protocol.rules import World
from tests.protocol.state import NEVER, NOWHERE, Carrier, Run, State

PAGE_WORKFLOWS = 100  # workflow ids of pages start here; below it, the id of a notification alone is its index


def owe(world: World, state: State, note: int) -> State:
    """Leave a wake-up with the notification's carrier, if it has one; its next poke is now."""
    index = state.notes[note].carrier
    carrier = state.carriers[index] if index != NOWHERE else None
    if carrier is None or carrier.state == "closed":
        return state
    if not world.rules.control_owes_wake_up:
        return state.with_carrier(index, carrier._replace(news=True, calling=True))
    return state.with_carrier(index, carrier._replace(news=True, owed=True, next_poke=0))


def waiting_for_relay(state: State, note: int) -> bool:
    """Open and nobody's."""
    return state.notes[note].state == "open" and state.notes[note].carrier == NOWHERE


def free_slot(state: State) -> int | None:
    """Where the model can keep one more carrier."""
    return state.carriers.index(None) if None in state.carriers else None


def put_on(state: State, slot: int, members: list[int], carrier: Carrier) -> State:
    """Write a new carrier and the members it takes."""
    for note in members:
        state = state.with_note(note, state.notes[note]._replace(carrier=slot))
    return state.with_carrier(slot, carrier)


def gather(world: World, state: State, note: int) -> State | None:
    """1: the relay takes one that is due, alone."""
    slot = free_slot(state)
    if slot is None or not waiting_for_relay(state, note) or state.notes[note].due > 0:
        return None
    return put_on(state, slot, [note], Carrier(workflow=note, wake_by=first_wake_by(world)))


def gather_page(world: World, state: State) -> State | None:
    """1: the relay takes all that are due as one page."""
    slot = free_slot(state)
    due = [i for i, note in enumerate(state.notes) if waiting_for_relay(state, i) and note.due == 0]
    if slot is None or len(due) < 2:
        return None
    return put_on(state, slot, due, Carrier(workflow=PAGE_WORKFLOWS + slot, wake_by=first_wake_by(world)))


def gather_waiting(world: World, state: State, note: int) -> State | None:
    """2: one that waits opens a wake carrier of its own."""
    slot = free_slot(state)
    due = state.notes[note].due
    if slot is None or not waiting_for_relay(state, note) or due == 0:
        return None
    fresh = Carrier(workflow=PAGE_WORKFLOWS + slot, wake_by=first_wake_by(world), wake=due)
    return put_on(state, slot, [note], fresh)


def join_waiting(world: World, state: State, note: int, index: int) -> State | None:
    """2: one that waits joins the wake carrier of its minute, re-checked under the carrier's lock."""
    carrier = state.carriers[index]
    if carrier is None or carrier.wake <= 0 or not waiting_for_relay(state, note):
        return None
    if state.notes[note].due != carrier.wake or (carrier.state != "open" and world.rules.join_rechecks_carrier):
        return None
    next_poke = carrier.next_poke if carrier.owed else carrier.wake
    return put_on(state, index, [note], carrier._replace(owed=True, news=True, next_poke=next_poke))


def first_wake_by(world: World) -> int:
    """When the watchdog looks at a carrier nobody has looked at."""
    return world.ticks.grace if world.rules.wake_by_always_set else NEVER


def poke(world: World, state: State, index: int) -> State | None:
    """3, first half: commit the next poke; the call follows and may never come."""
    carrier = state.carriers[index]
    if carrier is None or carrier.calling or carrier.state != "open" or not carrier.owed or carrier.next_poke > 0:
        return None
    poked = carrier._replace(next_poke=world.ticks.backoff, calling=True)
    if not world.rules.owed_until_looked:
        poked = poked._replace(owed=False, wake_by=first_wake_by(world))
    return state.with_carrier(index, poked)


def call(world: World, state: State, index: int) -> State | None:
    """3, second half: signal-with-start by workflow id, which attaches to whatever run has that id."""
    carrier = state.carriers[index]
    if carrier is None or not carrier.calling:
        return None
    holder = next((i for i, other in enumerate(state.carriers) if runs(other, carrier.workflow)), None)
    paid = carrier._replace(calling=False)
    if not world.rules.start_proves_nothing:
        paid = paid._replace(owed=False, wake_by=first_wake_by(world))
    state = state.with_carrier(index, paid)
    if holder is None:
        run = Run(at="pass" if carrier.wake == NEVER else "look", signal=True)
        return state.with_carrier(index, paid._replace(run=run))
    attached = state.carriers[holder]
    if attached is None or attached.run is None or not world.rules.start_proves_nothing:
        return state
    return state.with_carrier(holder, attached._replace(run=attached.run._replace(signal=True)))


def runs(carrier: Carrier | None, workflow: int) -> bool:
    """Whether this carrier's run has that workflow id; two carriers of one notification alone share theirs."""
    return carrier is not None and carrier.run is not None and carrier.workflow == workflow


def watch(world: World, state: State, index: int) -> State | None:
    """15: the watchdog."""
    carrier = state.carriers[index]
    if carrier is None or carrier.state != "open" or carrier.owed or carrier.wake_by != 0:
        return None
    return state.with_carrier(index, carrier._replace(owed=True, next_poke=0))
