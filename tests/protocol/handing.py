"""One message on its way in the model: envelope, mark (6, 7), final dot, and the record of what was said (8-10, 9')."""

from tests.protocol.passing import hand_of
from tests.protocol.rules import World
from tests.protocol.state import Delivery, Note, State

DEFINITE = {"said 4xx": "deferred", "said 5xx": "rejected"}


def mark(world: World, state: State, worker: int, index: int) -> State | None:
    """6: the write-ahead. The careless variant reads "wanted" from the notification and writes in `mark_write`."""
    hand = hand_of(state, worker, index)
    if hand is None or hand.phase != "claimed":
        return None
    if not world.rules.control_writes_delivery:
        wanted = state.notes[index].state == "open" and not state.notes[index].cancel_requested
        return state.with_hand(worker, index, hand._replace(phase="wanted" if wanted else "withdrawn"))
    return mark_row(world, state, worker, index)


def mark_write(world: World, state: State, worker: int, index: int) -> State | None:
    """The second half of the careless mark."""
    hand = hand_of(state, worker, index)
    return mark_row(world, state, worker, index) if hand and hand.phase == "wanted" else None


def mark_row(world: World, state: State, worker: int, index: int) -> State:
    """Mark the row when the claim still holds; the connection lives for a while from here."""
    hand = state.workers[worker].hands[index]
    if hand is None:
        raise AssertionError
    note = state.notes[index]
    row = note.deliveries[hand.position]
    holds = row.state == "claimed" and row.token == hand.token and row.lease > 0
    timely = row.not_before == 0 and row.expires > 0
    if not holds or not (timely or not world.rules.mark_checks_time):
        return state.with_hand(worker, index, hand._replace(phase="withdrawn"))
    ticks = world.ticks
    marked = row._replace(
        state="handing_off", attempt=row.attempt + 1, lease=ticks.hand_off_lease, window=ticks.absence_window
    )
    state = state._replace(broken=broken_by_mark(note) or state.broken)
    state = state.with_note(index, note.with_delivery(hand.position, marked))
    return state.with_hand(worker, index, hand._replace(phase="marked", connection=ticks.connection))


def broken_by_mark(note: Note) -> str:
    """The promise that a hand-off of this notification would break now."""
    if note.unclaimable:
        return "hand-off after cancel"
    if note.promised > 0:
        return "sent early"
    return "" if note.expires > 0 else "sent after expiry"


def lose_mark(_world: World, state: State, worker: int, index: int) -> State | None:
    """The mark was written, but its answer was lost on the way: the body is not sent."""
    hand = hand_of(state, worker, index)
    if state.faults == 0 or hand is None or hand.phase != "marked":
        return None
    return state.with_hand(worker, index, hand._replace(phase="withdrawn"))._replace(faults=state.faults - 1)


def withdraw(_world: World, state: State, worker: int, index: int) -> State | None:
    """7: the mark refused, or its own outcome stayed unknown: no body was sent, so the claim is given back."""
    hand = hand_of(state, worker, index)
    if hand is None or hand.phase != "withdrawn":
        return None
    note = state.notes[index]
    row = note.deliveries[hand.position]
    if row.state in {"claimed", "handing_off"} and row.token == hand.token:
        back = row._replace(state="pending", token=0, lease=0, window=0)
        state = state.with_note(index, note.with_delivery(hand.position, back))
    return state.with_hand(worker, index, None)


def envelope(_world: World, state: State, worker: int, index: int, answer: str) -> State | None:
    """The provider refuses at MAIL or RCPT, before any mark."""
    hand = hand_of(state, worker, index)
    if state.faults == 0 or hand is None or hand.phase != "claimed":
        return None
    return state.with_hand(worker, index, hand._replace(phase=f"envelope said {answer}"))._replace(
        faults=state.faults - 1
    )


def dot(_world: World, state: State, worker: int, index: int, outcome: str) -> State | None:
    """The body and its final dot: taken, taken without a word, refused, or the connection is lost."""
    hand = hand_of(state, worker, index)
    if hand is None or hand.phase != "marked" or (hand.connection == 0) != (outcome == "late"):
        return None
    if outcome not in {"taken", "late"}:
        if state.faults == 0:
            return None
        state = state._replace(faults=state.faults - 1)
    phase = {"taken": "said 250", "4xx": "said 4xx", "5xx": "said 5xx"}.get(outcome, "silence")
    state = state.with_hand(worker, index, hand._replace(phase=phase))
    return take(state, index, hand.position) if outcome in {"taken", "unheard"} else state


def take(state: State, index: int, position: int) -> State:
    """The provider has the message."""
    note = state.notes[index]
    row = note.deliveries[position]
    if note.cancelled:
        state = state._replace(broken="sent after cancelled")
    return state.with_note(index, note.with_delivery(position, row._replace(copies=row.copies + 1)))


def record_accepted(world: World, state: State, worker: int, index: int) -> State | None:
    """8: absorbing, whatever stands there."""
    hand = hand_of(state, worker, index)
    if hand is None or hand.phase != "said 250":
        return None
    note = state.notes[index]
    row = note.deliveries[hand.position]
    fenced = row.state == "handing_off" and row.token == hand.token
    state = state.with_hand(worker, index, None)
    if not world.rules.rows_are_counted or not world.rules.rows_decide:
        pass_ = state.workers[worker]
        state = state.with_worker(worker, pass_._replace(sent=pass_.sent + 1))
    if world.rules.acceptance_needs_no_token or fenced:
        return state.with_note(index, note.with_delivery(hand.position, accepted(row)))
    return state._replace(broken="acceptance dropped")


def accepted(row: Delivery) -> Delivery:
    """The row of an accepted message."""
    return row._replace(state="accepted", token=0, lease=0, not_before=0, window=0, hold=0)


def record_definite(world: World, state: State, worker: int, index: int) -> State | None:
    """9 and 9': a refusal counts for the hand-off, or for the claim, that heard it."""
    hand = hand_of(state, worker, index)
    if hand is None or hand.phase.removeprefix("envelope ") not in DEFINITE:
        return None
    early = hand.phase.startswith("envelope ")
    note = state.notes[index]
    row = note.deliveries[hand.position]
    state = state.with_hand(worker, index, None)
    if row.state != ("claimed" if early else "handing_off") or row.token != hand.token:
        return state
    attempt = row.attempt + 1 if early else row.attempt
    verdict = DEFINITE[hand.phase.removeprefix("envelope ")]
    if verdict == "deferred" and attempt >= world.attempts:
        verdict = "rejected"
    wait = world.ticks.retry if verdict == "deferred" else 0
    row = row._replace(state=verdict, token=0, lease=0, window=0, attempt=attempt, not_before=wait)
    return state.with_note(index, note.with_delivery(hand.position, row))


def record_silence(world: World, state: State, worker: int, index: int) -> State | None:
    """10: nobody said what became of it."""
    hand = hand_of(state, worker, index)
    if hand is None or hand.phase != "silence":
        return None
    note = state.notes[index]
    row = note.deliveries[hand.position]
    state = state.with_hand(worker, index, None)
    if row.state != "handing_off" or row.token != hand.token:
        return state
    lost = row._replace(state="unknown", token=0, lease=0, not_before=world.ticks.question)
    return state.with_note(index, note.with_delivery(hand.position, lost)._replace(ambiguous=True))
