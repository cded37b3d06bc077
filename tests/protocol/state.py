"""The rows, runs and workers of the protocol as plain values; a time counts down in ticks, zero once passed."""

from typing import NamedTuple, Self

NEVER = -1
NOWHERE = -1

OPEN_DELIVERY = frozenset({"pending", "claimed", "handing_off", "deferred", "unknown", "held"})
IN_FLIGHT = frozenset({"claimed", "handing_off", "unknown", "held"})
HANDED_OFF = frozenset({"handing_off", "unknown", "held"})


class Delivery(NamedTuple):
    """A row of `deliveries`; `window` counts down from the mark, `copies` is what the provider took in truth.

    `not_before` of an unknown or held row is the time of the next question.
    """

    state: str
    not_before: int
    expires: int
    token: int = 0
    lease: int = 0
    attempt: int = 0
    resends: int = 0
    window: int = 0
    hold: int = 0
    copies: int = 0


class Note(NamedTuple):
    """A row of `notifications` with its deliveries, and what its callers were promised."""

    expires: int
    due: int = 0
    state: str = "open"
    ambiguous: bool = False
    cancel_requested: bool = False
    send_now: bool = False
    carrier: int = NOWHERE
    deliveries: tuple[Delivery, ...] = ()
    promised: int = 0  # ticks for which nothing may be sent
    unclaimable: bool = False  # cancelled or cancelling was answered: no hand-off may start
    cancelled: bool = False  # cancelled was answered: nothing may reach anyone

    @property
    def last(self) -> Delivery | None:
        """The delivery that the notification now depends on."""
        return self.deliveries[-1] if self.deliveries else None

    @property
    def stage(self) -> str:
        """State of the last delivery, or `absent`."""
        return self.deliveries[-1].state if self.deliveries else "absent"

    def with_last(self, delivery: Delivery) -> Self:
        """Replace the last delivery."""
        return self._replace(deliveries=(*self.deliveries[:-1], delivery))

    def with_delivery(self, position: int, delivery: Delivery) -> Self:
        """Replace one delivery."""
        return self._replace(deliveries=(*self.deliveries[:position], delivery, *self.deliveries[position + 1 :]))


class Run(NamedTuple):
    """An open run of the engine: at a `pass`, at `look`, `looked` (a careless read before its write), or at `wait`."""

    at: str = "pass"
    signal: bool = False
    timer: int = NEVER


class Carrier(NamedTuple):
    """A row of `carriers`, its run, a call on its way to the engine, and `news`: changed since anyone looked."""

    workflow: int
    wake_by: int
    state: str = "open"
    owed: bool = True
    next_poke: int = 0
    wake: int = NEVER
    run: Run | None = None
    calling: bool = False
    news: bool = True


class Hand(NamedTuple):
    """What one worker knows of one delivery: its token, the phase of its conversation, the attempt it asked about.

    `connection` is how long the provider will still take the final dot (a careless release keeps its time there).
    """

    position: int
    token: int
    phase: str
    attempt: int = 0
    connection: int = 0


class Worker(NamedTuple):
    """A worker in a pass; `heard` until the engine has given the activity up; `sent` is what it would report."""

    carrier: int = NOWHERE
    heard: bool = False
    hands: tuple[Hand | None, ...] = ()
    sent: int = 0


class State(NamedTuple):
    """Everything. `faults` and `actions` are still to come; `broken` names a promise broken in the last step."""

    notes: tuple[Note, ...]
    carriers: tuple[Carrier | None, ...]
    workers: tuple[Worker, ...]
    faults: int
    actions: int
    counted: int = -1  # what a job would say, where passes are believed
    broken: str = ""

    def with_note(self, index: int, note: Note) -> Self:
        """Replace one notification."""
        return self._replace(notes=(*self.notes[:index], note, *self.notes[index + 1 :]))

    def with_carrier(self, index: int, carrier: Carrier | None) -> Self:
        """Replace one carrier."""
        return self._replace(carriers=(*self.carriers[:index], carrier, *self.carriers[index + 1 :]))

    def with_worker(self, index: int, worker: Worker) -> Self:
        """Replace one worker."""
        return self._replace(workers=(*self.workers[:index], worker, *self.workers[index + 1 :]))

    def with_hand(self, worker: int, note: int, hand: Hand | None) -> Self:
        """Replace what a worker knows of one notification's delivery."""
        before = self.workers[worker]
        hands = (*before.hands[:note], hand, *before.hands[note + 1 :])
        return self.with_worker(worker, before._replace(hands=hands))

    def members(self, carrier: int) -> list[int]:
        """Open notifications of a carrier."""
        return [i for i, note in enumerate(self.notes) if note.carrier == carrier and note.state == "open"]
