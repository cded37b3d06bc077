"""Unknown outcomes in the model (11): ask the provider, apply its answer to the attempt it was about.

Whoever asks early may learn of an acceptance; absence says nothing before the old connection is certainly dead.
"""

from tests.protocol.handing import accepted
from tests.protocol.passing import hand_of
from tests.protocol.rules import World
from tests.protocol.state import Hand, Note, State

ANSWERS = frozenset({"found", "absent", "silent", "too early"})
DOUBTFUL = frozenset({"unknown", "held"})


def ask(world: World, state: State, worker: int, index: int) -> State | None:
    """11, first half: ask by Message-ID, outside any transaction."""
    note = state.notes[index]
    row = note.last
    carrier = state.workers[worker].carrier
    if carrier < 0 or note.carrier != carrier or row is None or hand_of(state, worker, index):
        return None
    if note.state != "open" or row.state not in DOUBTFUL or row.not_before > 0:
        return None
    answer = ("found" if row.copies else "absent") if world.answers else "silent"
    if answer == "absent" and row.window > 0 and world.rules.absence_waits:
        answer = "too early" if world.rules.absence_is_asked_after_window else answer
    return state.with_hand(worker, index, Hand(len(note.deliveries) - 1, 0, answer, row.attempt))


def resolve(world: World, state: State, worker: int, index: int) -> State | None:
    """11, second half: apply the answer while the row still stands at the attempt that was asked about."""
    hand = hand_of(state, worker, index)
    if hand is None or hand.phase not in ANSWERS:
        return None
    note = state.notes[index]
    row = note.deliveries[hand.position]
    state = state.with_hand(worker, index, None)
    current = row.attempt == hand.attempt or not world.rules.evidence_names_attempt
    if note.state != "open" or row.state not in DOUBTFUL or not current:
        return state
    if hand.phase == "found":
        return state.with_note(index, note.with_last(accepted(row)))
    if hand.phase == "too early" or (row.window > 0 and world.rules.absence_waits):
        return state.with_note(index, note.with_last(row._replace(not_before=row.window)))
    return state.with_note(index, without_trace(world, note, found_absent=hand.phase == "absent"))


def without_trace(world: World, note: Note, *, found_absent: bool) -> Note:
    """What a doubtful hand-off becomes when no acceptance is known, once the old connection is dead."""
    row = note.deliveries[-1]
    wanted = not note.cancel_requested and note.expires > 0 and row.expires > 0
    again = note.with_last(row._replace(state="pending", window=0, not_before=0))
    if found_absent and wanted:
        return again._replace(ambiguous=False)
    if found_absent:
        over = row._replace(state="cancelled" if note.cancel_requested else "expired")
        return note.with_last(over)._replace(ambiguous=False)
    if world.resends and wanted and row.resends == 0 and row.state == "unknown":
        resent = again.with_last(again.deliveries[-1]._replace(resends=1))
        return resent._replace(ambiguous=note.ambiguous and world.rules.resend_stays_ambiguous)
    if row.state == "held" and row.hold == 0:
        return note.with_last(row._replace(state="failed"))
    hold = row.hold if row.state == "held" else world.ticks.hold
    return note.with_last(row._replace(state="held", window=0, hold=hold, not_before=1))
