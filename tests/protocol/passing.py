"""A send pass in the model: its beginning and end, the claim (5), release and waiting out an outage (13)."""

from tests.protocol.looking import claimable, pay, plan, proceed
from tests.protocol.rules import World
from tests.protocol.settling import end, settle_members
from tests.protocol.state import Delivery, Hand, Note, State, Worker


def begin(world: World, state: State, worker: int, index: int) -> State | None:
    """A worker takes the pass a run asks for; its first step settles."""
    carrier = state.carriers[index]
    if state.workers[worker].carrier >= 0 or carrier is None or carrier.run is None or carrier.run.at != "pass":
        return None
    if any(other.heard and other.carrier == index for other in state.workers):
        return None
    if world.rules.rows_decide:
        state = settle_members(world, state, index)
    state = state.with_carrier(index, carrier._replace(run=carrier.run._replace(signal=False)))
    return state.with_worker(worker, Worker(index, heard=True, hands=(None,) * world.notes))


def finish(world: World, state: State, worker: int) -> State | None:
    """The last step of a pass: settle and `look` in one transaction; the run goes on only if it still hears."""
    before = state.workers[worker]
    if before.carrier < 0 or any(before.hands):
        return None
    if world.rules.rows_decide:
        state = settle_members(world, state, before.carrier)
    answer = plan(world, state, before.carrier)
    state = pay(world, state, before.carrier, answer).with_worker(worker, Worker())
    if not before.heard:
        return state
    if not world.rules.rows_are_counted:
        state = state._replace(counted=state.counted + before.sent)
    if not world.rules.rows_decide:
        return proceed(settle_from_answer(state, before), before.carrier, answer)
    return proceed(state, before.carrier, answer)


def settle_from_answer(state: State, worker: Worker) -> State:
    """The careless workflow: what the activity says it has sent decides."""
    for i in state.members(worker.carrier):
        if state.notes[i].stage in {"accepted", "rejected"}:
            state = state.with_note(i, end(state.notes[i], "sent" if worker.sent else "failed"))
    return state


def finish_unheard(world: World, state: State, worker: int) -> State | None:
    """A pass commits its last step and dies before it can say so; the engine runs it again."""
    before = state.workers[worker]
    if state.faults == 0 or not before.heard:
        return None
    done = finish(world, state.with_worker(worker, before._replace(heard=False)), worker)
    return done._replace(faults=state.faults - 1) if done else None


def claim(world: World, state: State, worker: int) -> State | None:
    """5: one token for every member that may be claimed."""
    pass_ = state.workers[worker]
    if pass_.carrier < 0:
        return None
    state = settle_members(world, state, pass_.carrier)
    taken = {hand.token for other in state.workers for hand in other.hands if hand}
    taken |= {row.token for note in state.notes for row in note.deliveries}
    token = next(number for number in range(1, 99) if number not in taken)
    ready = [i for i in state.members(pass_.carrier) if claimable(world, state.notes[i]) and not pass_.hands[i]]
    for i in ready:
        note = with_claim(world, state.notes[i], token)
        state = state.with_note(i, note).with_hand(worker, i, Hand(len(note.deliveries) - 1, token, "claimed"))
    return state if ready else None


def with_claim(world: World, note: Note, token: int) -> Note:
    """The delivery of a claim, made when it is absent."""
    if note.last is None:
        life = note.expires if world.channels == 1 else min(note.expires, world.ticks.channel_life)
        note = note._replace(deliveries=(Delivery("pending", not_before=note.due, expires=life),))
    row = note.deliveries[-1]
    return note.with_last(row._replace(state="claimed", token=token, lease=world.ticks.claim_lease))


def skip(world: World, state: State, worker: int, index: int) -> State | None:
    """5: the policy says never; settling decides whether another channel has its turn."""
    note = state.notes[index]
    if state.faults == 0 or note.carrier < 0 or note.carrier != state.workers[worker].carrier:
        return None
    if not claimable(world, note) or state.workers[worker].hands[index]:
        return None
    note = with_claim(world, note, 0)
    skipped = note.deliveries[-1]._replace(state="skipped", lease=0)
    return state.with_note(index, note.with_last(skipped))._replace(faults=state.faults - 1)


def put_off(world: World, state: State, worker: int) -> State | None:
    """13: no provider can be reached, so what waits in this carrier waits a while longer."""
    pass_ = state.workers[worker]
    if state.faults == 0 or pass_.carrier < 0:
        return None
    moved = state
    for i in state.members(pass_.carrier):
        row = state.notes[i].last
        if row is not None and row.state in {"pending", "deferred"} and row.not_before < world.ticks.outage:
            later = row._replace(not_before=world.ticks.outage)
            moved = moved.with_note(i, state.notes[i].with_last(later))
    return moved._replace(faults=state.faults - 1) if moved != state else None


def release(world: World, state: State, worker: int, index: int) -> State | None:
    """13: a long wait goes back to the relay with its time; the careless variant only decides here."""
    note = state.notes[index]
    until = waits(note)
    if (
        not until
        or note.carrier != state.workers[worker].carrier
        or note.carrier < 0
        or note.send_now
        or note.cancel_requested
    ):
        return None
    if state.faults == 0 or state.workers[worker].hands[index]:
        return None
    state = state._replace(faults=state.faults - 1)
    if not world.rules.release_reads_under_lock:
        return state.with_hand(worker, index, Hand(0, 0, "release", connection=until))
    return state.with_note(index, note._replace(carrier=-1, due=until))


def release_write(_world: World, state: State, worker: int, index: int) -> State | None:
    """The second half of the careless release: what was decided is written over whatever stands there now."""
    hand = hand_of(state, worker, index)
    if hand is None or hand.phase != "release":
        return None
    note = state.notes[index]._replace(carrier=-1, due=hand.connection)
    return state.with_hand(worker, index, None).with_note(index, note)


def waits(note: Note) -> int:
    """How long an open notification waits for its own time; zero when it does not."""
    if note.state != "open" or note.stage not in {"absent", "pending", "deferred"}:
        return 0
    return max(note.due, note.last.not_before if note.last else 0)


def hand_of(state: State, worker: int, index: int) -> Hand | None:
    """What a worker knows of one notification."""
    hands = state.workers[worker].hands
    return hands[index] if hands else None
