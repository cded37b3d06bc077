"""What the world does to the protocol: time passes, workers die or fall silent, runs end, calls are lost."""

from tests.protocol.rules import World
from tests.protocol.state import Carrier, Delivery, Hand, Note, State, Worker


def tick(_world: World, state: State) -> State | None:
    """One tick of time for everything at once."""
    later = state._replace(
        notes=tuple(note_later(note) for note in state.notes),
        carriers=tuple(carrier_later(carrier) if carrier else None for carrier in state.carriers),
        workers=tuple(worker_later(worker) for worker in state.workers),
    )
    return later if later != state else None


def down(ticks: int) -> int:
    """Count one tick down; passed stays passed, never stays never."""
    return ticks - 1 if ticks > 0 else ticks


def row_later(row: Delivery) -> Delivery:
    """Age a delivery."""
    return row._replace(
        not_before=down(row.not_before),
        expires=down(row.expires),
        lease=down(row.lease),
        window=down(row.window),
        hold=down(row.hold),
    )


def note_later(note: Note) -> Note:
    """Age a notification."""
    return note._replace(
        expires=down(note.expires),
        due=down(note.due),
        promised=down(note.promised),
        deliveries=tuple(row_later(row) for row in note.deliveries),
    )


def carrier_later(carrier: Carrier) -> Carrier:
    """Age a carrier and its run."""
    run = carrier.run._replace(timer=down(carrier.run.timer)) if carrier.run else None
    return carrier._replace(
        next_poke=down(carrier.next_poke), wake_by=down(carrier.wake_by), wake=down(carrier.wake), run=run
    )


def hand_later(hand: Hand | None) -> Hand | None:
    """Age a connection."""
    return hand._replace(connection=down(hand.connection)) if hand else None


def worker_later(worker: Worker) -> Worker:
    """Age a worker's connections."""
    return worker._replace(hands=tuple(hand_later(hand) for hand in worker.hands))


def kill(_world: World, state: State, worker: int) -> State | None:
    """Kill -9: what the worker knew is gone."""
    if state.faults == 0 or state.workers[worker].carrier < 0:
        return None
    return state.with_worker(worker, Worker())._replace(faults=state.faults - 1)


def fall_silent(_world: World, state: State, worker: int) -> State | None:
    """A paused worker: the engine gives its activity up, the worker itself goes on some time later."""
    if state.faults == 0 or not state.workers[worker].heard:
        return None
    quiet = state.workers[worker]._replace(heard=False)
    return state.with_worker(worker, quiet)._replace(faults=state.faults - 1)


def terminate(_world: World, state: State, index: int) -> State | None:
    """An operator terminates the run."""
    carrier = state.carriers[index]
    if state.faults == 0 or carrier is None or carrier.run is None:
        return None
    state = state.with_carrier(index, carrier._replace(run=None))._replace(faults=state.faults - 1)
    for i, worker in enumerate(state.workers):
        if worker.carrier == index and worker.heard:
            state = state.with_worker(i, worker._replace(heard=False))
    return state


def lose_call(_world: World, state: State, index: int) -> State | None:
    """The relay dies, or the network eats its call."""
    carrier = state.carriers[index]
    if state.faults == 0 or carrier is None or not carrier.calling:
        return None
    return state.with_carrier(index, carrier._replace(calling=False))._replace(faults=state.faults - 1)
