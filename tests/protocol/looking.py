"""The workflow in the model: `look` (4), what it plans, and how the run goes on from its answer."""

from tests.protocol.rules import World
from tests.protocol.settling import settle
from tests.protocol.state import HANDED_OFF, NEVER, Note, Run, State

LEASED = frozenset({"claimed", "handing_off"})
EXPIRING = frozenset({"absent", "pending", "claimed", "deferred"})


def claimable(world: World, note: Note) -> bool:
    """Guard of 5 without the carrier."""
    if note.state != "open" or note.due > 0 or note.expires == 0 or note.cancel_requested:
        return False
    row = note.last
    if row is None:
        return True
    if row.expires == 0:
        return False
    lapsed = row.lease == 0
    reclaimed = row.state == "handing_off" and lapsed and not world.rules.hand_off_is_never_reclaimed
    free = row.state in {"pending", "deferred"} and row.not_before == 0
    return free or (row.state == "claimed" and lapsed) or reclaimed


def resolvable(note: Note) -> bool:
    """11, 14 or 16 have something to do."""
    row = note.last
    if row is not None and row.state in HANDED_OFF:
        return (row.lease if row.state == "handing_off" else row.not_before) == 0
    over = note.expires == 0 or (row is not None and row.expires == 0)
    return over and note.stage in EXPIRING


def next_time(note: Note) -> int:
    """Ticks until something about an open member may change by itself; zero when nothing will."""
    row = note.last
    if row is None:
        at = note.due
    elif row.state in LEASED:
        at = row.lease
    else:
        at = row.not_before if row.state in HANDED_OFF else max(note.due, row.not_before)
    ends = min(note.expires, row.expires) if row else note.expires
    return min(at, ends) if note.stage in EXPIRING else at


def is_due(world: World, note: Note) -> bool:
    """5 could claim, 11 could resolve or 12 could settle."""
    settleable = settle(world, note) != note
    return claimable(world, note) or resolvable(note) or (settleable and world.rules.look_counts_settleable)


def plan(world: World, state: State, index: int) -> tuple[str, int]:
    """What `look` answers: closed, due, or wait with the ticks until the next time."""
    notes = [state.notes[i] for i in state.members(index)]
    if not world.rules.close_only_when_empty:
        notes = [note for note in notes if claimable(world, note) or note.due > 0 or note.stage == "deferred"]
    if not notes:
        return "closed", NEVER
    if any(is_due(world, note) for note in notes):
        return "due", 0
    times = [ticks for ticks in map(next_time, notes) if ticks > 0]
    return "wait", min(times, default=NEVER)


def pay(world: World, state: State, index: int, answer: tuple[str, int]) -> State:
    """4, the write: the wake-up is paid, the watchdog set, an empty carrier closed."""
    carrier = state.carriers[index]
    if carrier is None or carrier.state == "closed":
        return state
    kind, ticks = answer
    wait = world.ticks.pass_patience if kind == "due" or ticks == NEVER else min(ticks, world.ticks.pass_patience)
    return state.with_carrier(
        index,
        carrier._replace(
            owed=False,
            news=carrier.news and not world.rules.look_reads_under_lock,
            wake_by=wait + world.ticks.grace if world.rules.wake_by_always_set else NEVER,
            state="closed" if kind == "closed" else "open",
        ),
    )


def proceed(state: State, index: int, answer: tuple[str, int]) -> State:
    """The run goes on from what `look` said; `closed` is final in the rows, so signals are drained and it returns."""
    carrier = state.carriers[index]
    if carrier is None or carrier.run is None:
        return state
    kind, ticks = answer
    if kind == "closed":
        return state.with_carrier(index, carrier._replace(run=None))
    run = carrier.run._replace(at="pass" if kind == "due" else "wait", timer=ticks if kind == "wait" else NEVER)
    return state.with_carrier(index, carrier._replace(run=run))


def look(world: World, state: State, index: int) -> State | None:
    """4: lock the carrier, then read and write; the careless variant reads before it locks."""
    carrier = state.carriers[index]
    if carrier is None or carrier.run is None or carrier.run.at != "look":
        return None
    state = state.with_carrier(index, carrier._replace(run=carrier.run._replace(signal=False)))
    answer = plan(world, state, index)
    if world.rules.look_reads_under_lock:
        return proceed(pay(world, state, index, answer), index, answer)
    run = Run(at=f"looked {answer[0]}", timer=answer[1])
    return state.with_carrier(index, carrier._replace(run=run, news=False))


def look_write(world: World, state: State, index: int) -> State | None:
    """The second half of the careless `look`."""
    carrier = state.carriers[index]
    if carrier is None or carrier.run is None or not carrier.run.at.startswith("looked"):
        return None
    answer = (carrier.run.at.removeprefix("looked "), carrier.run.timer)
    return proceed(pay(world, state, index, answer), index, answer)


def look_unheard(world: World, state: State, index: int) -> State | None:
    """`look` commits and its worker dies before the engine hears of it: the engine asks again."""
    carrier = state.carriers[index]
    if state.faults == 0 or carrier is None or carrier.run is None or carrier.run.at != "look":
        return None
    return pay(world, state, index, plan(world, state, index))._replace(faults=state.faults - 1)


def wake(_world: World, state: State, index: int) -> State | None:
    """A waiting run goes on by its timer or its signal."""
    carrier = state.carriers[index]
    if carrier is None or carrier.run is None or carrier.run.at != "wait":
        return None
    if not carrier.run.signal and carrier.run.timer != 0:
        return None
    return state.with_carrier(index, carrier._replace(run=carrier.run._replace(at="look", signal=False, timer=NEVER)))
