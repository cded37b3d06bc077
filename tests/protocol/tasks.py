"""A bulk send in the model: its row, one page and the recipients of it, a run, and workers that pass over the page.

What happens between a mark and its answer is modelled for notifications and is the same here; this is about the rest:
pages and their counts, who looks when, and what operators are told.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

NEVER = 99
FINAL = frozenset({"accepted", "rejected", "skipped", "failed", "cancelled"})
WAITING = frozenset({"pending", "claimed", "deferred"})
DOUBT = frozenset({"handing_off", "unknown"})
OVER = frozenset({"completed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules, each of which a test can switch off, and how much may go wrong."""

    mark_asks_task: bool = True
    skip_revokes: bool = True
    asks_while_paused: bool = True
    changes_touch_pages: bool = True
    claim_uncounts: bool = True
    owed_until_looked: bool = True
    recipients: int = 2
    faults: int = 1
    actions: int = 2


class Row(NamedTuple):
    """A recipient; times count down. `told` is what an operator was answered: nothing may leave any more."""

    state: str = "pending"
    not_before: int = 0
    lease: int = 0
    token: int = 0
    attempt: int = 0
    resends: int = 0
    copies: int = 0
    late: bool = False
    told: bool = False


class Page(NamedTuple):
    """The page; `counts` are states in order."""

    next_at: int = 0
    asks_at: int = NEVER
    counted: bool = True
    counts: tuple[str, ...] = ()


class Hand(NamedTuple):
    """What a worker holds of one recipient: its token, and how far the conversation is."""

    seq: int
    token: int
    phase: str = "claimed"


class Pass(NamedTuple):
    """A worker in a pass: `heard` while its end would be noticed, `goes_on` as it was read at the beginning."""

    heard: bool
    goes_on: bool
    hands: tuple[Hand, ...] = ()


class Send(NamedTuple):
    """Everything. `run` is `none`, `look` or `rest`; `under_way` is a pass the run waits for."""

    rows: tuple[Row, ...]
    page: Page
    state: str = "sending"
    cancelling: bool = False
    owed: bool = True
    wake: int = NEVER
    totals: tuple[str, ...] | None = None
    run: str = "none"
    signal: bool = False
    timer: int = NEVER
    under_way: bool = False
    passes: tuple[Pass | None, ...] = (None, None)
    faults: int = 0
    actions: int = 0
    broken: str = ""

    def with_row(self, index: int, **changed: object) -> Self:
        """Change one recipient."""
        row = self.rows[index]._replace(**changed)  # type: ignore[arg-type]
        return self._replace(rows=(*self.rows[:index], row, *self.rows[index + 1 :]))

    def with_pass(self, worker: int, pass_: Pass | None) -> Self:
        """Change one worker."""
        return self._replace(passes=(*self.passes[:worker], pass_, *self.passes[worker + 1 :]))

    def with_hand(self, worker: int, hand: Hand, phase: str = "") -> Self:
        """Take a conversation on, or, without a phase, out of a worker's hands."""
        pass_ = self.passes[worker]
        assert pass_ is not None
        others = tuple(one for one in pass_.hands if one != hand)
        hands = (*others, hand._replace(phase=phase)) if phase else others
        return self.with_pass(worker, pass_._replace(hands=hands))

    @property
    def by_rows(self) -> tuple[str, ...]:
        """The recipients by state."""
        return tuple(sorted(row.state for row in self.rows))

    @property
    def exact(self) -> tuple[str, ...]:
        """What reports say."""
        return self.page.counts if self.page.counted else self.by_rows


def begin(terms: Terms) -> Send:
    """A frozen audience."""
    rows = (Row(),) * terms.recipients
    page = Page(counts=tuple(row.state for row in rows))
    return Send(rows, page, faults=terms.faults, actions=terms.actions)


def touched(terms: Terms, send: Send) -> Send:
    """Somebody changed a recipient outside a pass: the page is looked at again, and the task is owed a look."""
    if not terms.changes_touch_pages:
        return send
    page = send.page._replace(next_at=0, asks_at=0, counted=False)
    return send._replace(page=page, owed=True)


def tidied(send: Send) -> Send:
    """Lost hand-offs, and what a cancellation ends."""
    for index, row in enumerate(send.rows):
        if row.state == "handing_off" and row.lease == 0:
            send = send.with_row(index, state="unknown", not_before=0, token=0)
        elif row.state in WAITING and send.cancelling:
            send = send.with_row(index, state="cancelled", token=0)
    return send


def settled(send: Send) -> Send:
    """Write down when to look again, and the counts."""
    send = tidied(send)
    times = {"pending": "not_before", "deferred": "not_before", "unknown": "not_before"}
    due = [(row.state, getattr(row, times.get(row.state, "lease"))) for row in send.rows if row.state not in FINAL]
    page = Page(
        next_at=min((at for _, at in due), default=NEVER),
        asks_at=min((at for state, at in due if state in DOUBT), default=NEVER),
        counted=all(row.state in FINAL or (not row.token and not row.attempt) for row in send.rows),
        counts=send.by_rows,
    )
    return send._replace(page=page)


def ticked(send: Send) -> Send:
    """Time passes for everybody."""

    def down(at: int) -> int:
        return at if at in {0, NEVER} else at - 1

    rows = tuple(row._replace(not_before=down(row.not_before), lease=down(row.lease)) for row in send.rows)
    page = send.page._replace(next_at=down(send.page.next_at), asks_at=down(send.page.asks_at))
    return send._replace(rows=rows, page=page, wake=down(send.wake), timer=down(send.timer))
