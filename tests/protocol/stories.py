"""The traces of the protocol's last section as stories: what happens, which rule saves it, what is wrong without."""

from dataclasses import dataclass, field

from tests.protocol.rules import Ticks, World

CARRIED = "gather 0; poke 0; call 0; begin 0 0;"
CLAIMED = CARRIED + "claim 0;"
MARKED = CLAIMED + "mark 0 0;"
SLEEPING = "gather_waiting 0; poke 0; call 0;"
ZOMBIE_DOT = MARKED + "fall_silent 0; tick; lapse 0; begin 1 0; ask 1 0;"


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, which rules save it, and what is wrong without them."""

    text: str
    rules: tuple[str, ...]
    wrong: str
    world: World = field(default_factory=World)


STORIES = {
    "look reads the members, another joins, look locks the carrier: the newcomer is never looked at": Story(
        SLEEPING + "look 0; join_waiting 1 0; look_write 0",
        ("look_reads_under_lock",),
        "nobody owes the look",
        World(notes=2, scheduled=1),
    ),
    "look decides to close before it locks: the newcomer is stranded": Story(
        SLEEPING + "cancel 0; look 0; join_waiting 1 0; look_write 0",
        ("look_reads_under_lock",),
        "open on a closed carrier",
        World(notes=2, scheduled=1),
    ),
    "a join does not look at the carrier again under its lock: the newcomer is stranded": Story(
        SLEEPING + "cancel 0; look 0; join_waiting 1 0",
        ("join_rechecks_carrier",),
        "open on a closed carrier",
        World(notes=2, scheduled=1),
    ),
    "an old answer is applied to a new attempt: second copy": Story(
        MARKED
        + """dot 0 0 dropped; record_silence 0 0; tick; tick; ask 0 0; fall_silent 0;
        begin 1 0; ask 1 0; resolve 1 0; claim 1; mark 1 0; dot 1 0 unheard; record_silence 1 0; tick; tick;
        resolve 0 0; claim 0; mark 0 0; dot 0 0 taken""",
        ("evidence_names_attempt",),
        "copy nobody decided",
        World(ticks=Ticks(life=6), faults=3),
    ),
    "failed with the 250 recorded a moment later, retried: sent again": Story(
        MARKED
        + """fall_silent 0; tick; lapse 0; dot 0 0 taken; begin 1 0; ask 1 0; resolve 1 0; tick; ask 1 0; resolve 1 0;
        tick; ask 1 0; resolve 1 0; finish 1; record_accepted 0 0; retry 0""",
        ("retry_spares_accepted",),
        "acceptance forgotten",
        World(answers=False, resends=False),
    ),
    "a release decided before a reschedule overwrites it: sent early": Story(
        CARRIED + "reschedule 0; release 0 0; tick; reschedule 0; release_write 0 0",
        ("release_reads_under_lock",),
        "sent early",
        World(ticks=Ticks(delay=2), actions=2),
    ),
    "mark reads wanted from the notification: sent after cancel": Story(
        CLAIMED + "mark 0 0; cancel 0; mark_write 0 0; dot 0 0 taken",
        ("control_writes_delivery",),
        "sent after cancelled",
    ),
    "claimed, then rescheduled, and the mark asks no time: sent early": Story(
        CLAIMED + "reschedule 0; mark 0 0; mark_write 0 0",
        ("control_writes_delivery", "mark_checks_time"),
        "sent early",
    ),
    "claimed, then expired, and the mark asks no time: sent after expiry": Story(
        CLAIMED + "tick; mark 0 0",
        ("mark_checks_time",),
        "sent after expiry",
        World(ticks=Ticks(life=1, claim_lease=2)),
    ),
    "a worker dies holding claims and the page closes": Story(
        CLAIMED + "kill 0; begin 1 0; finish 1", ("close_only_when_empty",), "open on a closed carrier"
    ),
    "a worker dies after the mark and the page closes": Story(
        MARKED + "kill 0; begin 1 0; finish 1", ("close_only_when_empty",), "open on a closed carrier"
    ),
    "250 recorded, the activity dies, the workflow settles from the answer of the next": Story(
        MARKED + "dot 0 0 taken; record_accepted 0 0; kill 0; begin 1 0; finish 1",
        ("rows_decide",),
        "ended against acceptance",
    ),
    "a claim treats a hand-off like a claim: second copy": Story(
        MARKED + "dot 0 0 taken; kill 0; tick; begin 1 0; claim 1; mark 1 0; dot 1 0 taken",
        ("hand_off_is_never_reclaimed",),
        "copy nobody decided",
    ),
    "absence is believed while a paused owner can write the dot: two copies": Story(
        ZOMBIE_DOT + "resolve 1 0; claim 1; mark 1 0; dot 1 0 taken; dot 0 0 taken",
        ("absence_waits",),
        "copy nobody decided",
    ),
    "absence is asked within the window and applied after it: two copies": Story(
        ZOMBIE_DOT + "dot 0 0 taken; tick; resolve 1 0; claim 1; mark 1 0; dot 1 0 taken",
        ("absence_is_asked_after_window",),
        "copy nobody decided",
    ),
    "250 after the lease, guarded by the token: dropped": Story(
        MARKED
        + """fall_silent 0; tick; lapse 0; dot 0 0 taken; record_accepted 0 0;
        begin 1 0; ask 1 0; resolve 1 0; tick; ask 1 0; resolve 1 0; claim 1; mark 1 0; dot 1 0 taken""",
        ("acceptance_needs_no_token",),
        "acceptance dropped",
        World(answers=False),
    ),
    "sent again by policy, then skipped, and the first copy arrived: every end needs ambiguous": Story(
        MARKED + "dot 0 0 unheard; record_silence 0 0; tick; tick; ask 0 0; resolve 0 0; skip 0 0; finish 0",
        ("resend_stays_ambiguous",),
        "delivered, unsaid",
        World(answers=False),
    ),
    "expired in the middle of a hand-off: expired, yet delivered": Story(
        MARKED + "tick; expire 0; dot 0 0 taken",
        ("expiry_spares_in_flight",),
        "delivered, unsaid",
        World(ticks=Ticks(life=1)),
    ),
    "the relay notes the start and dies before the call: never started": Story(
        "gather 0; poke 0; lose_call 0", ("owed_until_looked",), "nobody owes the look"
    ),
    "a start attaches to a closing run: never carried": Story(
        CLAIMED
        + """envelope 0 0 4xx; record_definite 0 0; release 0 0; tick; gather 0; poke 1; call 1; finish 0; wake 0;
        look 0""",
        ("start_proves_nothing",),
        "nobody owes the look",
    ),
    "the one signal of send-now is lost: the workflow sleeps to the old time": Story(
        SLEEPING + "look 0; send_now 0; lose_call 0",
        ("control_owes_wake_up",),
        "nobody owes the look",
        World(scheduled=2),
    ),
    "a job adds up what passes say, and one pass was killed": Story(
        """gather_page; poke 0; call 0; begin 0 0; claim 0; mark 0 0; dot 0 0 taken; record_accepted 0 0; kill 0; tick;
        begin 1 0; claim 1; mark 1 1; dot 1 1 taken; record_accepted 1 1; finish 1""",
        ("rows_are_counted",),
        "job miscounted",
        World(notes=2),
    ),
    "refused, rescheduled, then the next channel is due at once: sent early": Story(
        CLAIMED + "envelope 0 0 5xx; record_definite 0 0; reschedule 0; finish 0",
        ("reschedule_outlives_fall_back",),
        "sent early",
        World(channels=2),
    ),
}

# Found by the watchdog or the sweeper without the rule, but late: what they end in is told by the tests.
TERMINATED = CARRIED + "finish 0; terminate 0"
ACCEPTED_UNSETTLED = MARKED + "fall_silent 0; begin 1 0; finish 1; dot 0 0 taken; record_accepted 0 0; kill 0"
PAID_BY_A_ZOMBIE = (
    CARRIED
    + """fall_silent 0; begin 1 0; claim 1; envelope 1 0 4xx; record_definite 1 0; finish 1; send_now 0; finish 0;
    tick; tick; watch 0; poke 0; call 0; wake 0; look 0; begin 0 0; claim 0; mark 0 0; dot 0 0 taken;
    record_accepted 0 0; finish 0"""
)

HELD = MARKED + "dot 0 0 unheard; record_silence 0 0; tick; tick; ask 0 0; resolve 0 0;"

# No rule of the list can be switched off for these; the statements of the product must follow the model all the same.
FURTHER = {
    "a run terminated between look and claim": (World(), TERMINATED),
    "accepted, its worker dead, its run asleep": (World(ticks=Ticks(life=8)), ACCEPTED_UNSETTLED),
    "a wake-up paid by a pass nobody hears": (World(ticks=Ticks(retry=4, life=9)), PAID_BY_A_ZOMBIE),
    "held, cancelled, then asked to be sent now: nothing becomes pending": (
        World(ticks=Ticks(hold=3, life=9), answers=False, resends=False, actions=2),
        HELD + "cancel 0; send_now 0; finish 0",
    ),
    "held past its time, then asked to be sent now: nothing becomes pending": (
        World(ticks=Ticks(hold=3, life=2), answers=False, resends=False),
        HELD + "send_now 0; finish 0",
    ),
    "nobody could tell, and cancel comes before that was settled: it has failed": (
        World(answers=False, resends=False),
        HELD + "tick; ask 0 0; resolve 0 0; cancel 0",
    ),
    "absent past the channel's share of time: the next channel has its turn": (
        World(ticks=Ticks(life=9), channels=2),
        MARKED + "dot 0 0 dropped; record_silence 0 0; tick; tick; ask 0 0; resolve 0 0; finish 0",
    ),
    "absent and cancelled: nothing is ambiguous": (
        World(),
        MARKED + "dot 0 0 dropped; record_silence 0 0; tick; tick; cancel 0; ask 0 0; resolve 0 0; finish 0",
    ),
    "refused on one channel, expired on the next, retried": (
        World(channels=2),
        CLAIMED
        + "envelope 0 0 5xx; record_definite 0 0; finish 0; tick; tick; tick; tick; expire 0; retry 0; gather 0",
    ),
}
