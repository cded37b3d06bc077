"""The executable model of carriers, deliveries and control: every transition by name, and the steps a state allows."""

from collections.abc import Callable, Iterator

from tests.protocol import carriers, control, faults, handing, looking, passing, reconciling, settling
from tests.protocol.rules import World
from tests.protocol.state import Note, State, Worker
from tests.protocol.tidying import tidy

Step = tuple[str | int, ...]
Transition = Callable[..., State | None]

BY_NOTE: dict[str, Transition] = {
    "gather": carriers.gather,
    "gather_waiting": carriers.gather_waiting,
    "lapse": settling.lapse,
    "expire": settling.expire,
    "correct": settling.correct,
    "cancel": control.cancel,
    "reschedule": control.reschedule,
    "send_now": control.send_now,
    "retry": control.retry,
}
BY_CARRIER: dict[str, Transition] = {
    "poke": carriers.poke,
    "call": carriers.call,
    "watch": carriers.watch,
    "wake": looking.wake,
    "look": looking.look,
    "look_write": looking.look_write,
    "look_unheard": looking.look_unheard,
    "terminate": faults.terminate,
    "lose_call": faults.lose_call,
}
BY_WORKER: dict[str, Transition] = {
    "claim": passing.claim,
    "finish": passing.finish,
    "finish_unheard": passing.finish_unheard,
    "put_off": passing.put_off,
    "kill": faults.kill,
    "fall_silent": faults.fall_silent,
}
BY_PAIR: dict[str, Transition] = {"ask": reconciling.ask, "skip": passing.skip, "release": passing.release}
BY_PHASE: dict[str, dict[str, Transition]] = {
    "claimed": {"mark": handing.mark, "envelope": handing.envelope},
    "wanted": {"mark_write": handing.mark_write},
    "withdrawn": {"withdraw": handing.withdraw},
    "marked": {"dot": handing.dot, "lose_mark": handing.lose_mark},
    "said 250": {"record_accepted": handing.record_accepted},
    "silence": {"record_silence": handing.record_silence},
    "release": {"release_write": passing.release_write},
    **{f"{where}said {code}": {"record_definite": handing.record_definite}
       for where in ("", "envelope ") for code in ("4xx", "5xx")},
    **{answer: {"resolve": reconciling.resolve} for answer in reconciling.ANSWERS},
}  # fmt: skip
CHOICES = {
    "envelope": ("4xx", "5xx"),
    "dot": ("taken", "late", "unheard", "4xx", "5xx", "dropped"),
}
SINGLE: dict[str, Transition] = {
    "begin": passing.begin,
    "join_waiting": carriers.join_waiting,
    "gather_page": carriers.gather_page,
    "tick": faults.tick,
}
TRANSITIONS: dict[str, Transition] = {
    **BY_NOTE,
    **BY_CARRIER,
    **BY_WORKER,
    **BY_PAIR,
    **SINGLE,
    **{name: step for steps in BY_PHASE.values() for name, step in steps.items()},
}


def start(world: World) -> State:
    """Accepted, nobody's yet; `scheduled` in the world is the due time in ticks of every notification."""
    note = Note(expires=world.ticks.life, due=world.scheduled, promised=world.scheduled)
    return State(
        notes=(note,) * world.notes,
        carriers=(None,) * world.slots,
        workers=(Worker(),) * world.workers,
        faults=world.faults,
        actions=world.actions,
        counted=-1 if world.rules.rows_are_counted else 0,
    )


def take_step(world: World, state: State, step: Step) -> State | None:
    """Where a step leads; None when its guard does not match."""
    name, *operands = step
    after = TRANSITIONS[str(name)](world, state, *operands)
    return tidy(world, after) if after is not None else None


def candidates(state: State) -> Iterator[Step]:
    """Every step whose operands exist."""
    yield ("tick",)
    yield ("gather_page",)
    pages = [i for i, carrier in enumerate(state.carriers) if carrier is not None]
    for note in range(len(state.notes)):
        yield from ((name, note) for name in BY_NOTE)
        yield from (("join_waiting", note, page) for page in pages)
    for page in pages:
        yield from ((name, page) for name in BY_CARRIER)
    for index, worker in enumerate(state.workers):
        if worker.carrier < 0:
            yield from (("begin", index, page) for page in pages)
        else:
            yield from steps_of_pass(index, worker)


def steps_of_pass(index: int, worker: Worker) -> Iterator[Step]:
    """What a worker in a pass may do next."""
    yield from ((name, index) for name in BY_WORKER)
    for note, hand in enumerate(worker.hands):
        if hand is None:
            yield from ((name, index, note) for name in BY_PAIR)
            continue
        for name in BY_PHASE[hand.phase]:
            yield from (
                ((name, index, note, choice) for choice in CHOICES.get(name, ()))
                if name in CHOICES
                else ([(name, index, note)])
            )


def steps(world: World, state: State) -> Iterator[tuple[Step, State]]:
    """Every step the state allows, with the state it leads to."""
    for step in candidates(state):
        after = take_step(world, state, step)
        if after is not None and after != state:
            yield step, after
