"""The steps of a bulk send in the model: of its run, of workers in a pass, of the sweeper, and of operators."""

from collections.abc import Iterator

from tests.protocol.tasks import (
    DOUBT,
    FINAL,
    NEVER,
    OVER,
    WAITING,
    Hand,
    Pass,
    Send,
    Terms,
    settled,
    ticked,
    tidied,
    touched,
)

LEASE = 1
RETRY = 1


def steps(terms: Terms, send: Send) -> Iterator[tuple[str, Send]]:
    """Every step that is possible, by name, with what it leads to."""
    yield "tick", ticked(send)
    yield from _of_run(terms, send)
    for worker, pass_ in enumerate(send.passes):
        if pass_ is None:
            if send.under_way and not any(one and one.heard for one in send.passes):
                yield f"begin {worker}", _begin(send, worker)
        else:
            yield from _of_pass(terms, send, worker, pass_)
    yield from _of_sweeper(terms, send)
    if send.actions:
        yield from _of_operators(terms, send._replace(actions=send.actions - 1))


def _of_run(terms: Terms, send: Send) -> Iterator[tuple[str, Send]]:
    if send.owed:
        poked = send._replace(run="look") if send.run == "none" else send._replace(signal=True)
        yield "poke", poked if terms.owed_until_looked else poked._replace(owed=False)
    if send.wake == 0 and not send.owed:
        yield "watch", send._replace(owed=True)
    if send.run == "look" or (send.run == "rest" and (send.signal or send.timer == 0)):
        yield "look", look(terms, send)
    if send.faults and send.run != "none":
        passes = tuple(one and one._replace(heard=False) for one in send.passes)
        gone = send._replace(run="none", signal=False, timer=NEVER, under_way=False, passes=passes)
        yield "terminate", gone._replace(faults=send.faults - 1)


def look(terms: Terms, send: Send) -> Send:
    """Pay the wake-up; then a pass, the audit, a rest, or the end."""
    over, page = send.state in OVER, send.page
    send = send._replace(owed=False, signal=False)
    if over and page.next_at == NEVER and page.counts == send.totals:
        return send._replace(run="none", timer=NEVER, wake=NEVER)
    still = send.state == "paused" and not send.cancelling
    at = (page.asks_at if terms.asks_while_paused else NEVER) if still else page.next_at
    unwanted = send.cancelling and bool(set(page.counts) & WAITING)
    if page.next_at == NEVER and not still:
        idle = send._replace(run="rest", timer=NEVER) if send.under_way else _audited(send)._replace(run="look")
        return idle._replace(wake=1)
    if at == 0 or (unwanted and page.next_at != NEVER):
        return send._replace(run="rest", timer=NEVER, under_way=True, wake=1)
    timer = at if at != NEVER else NEVER
    return send._replace(run="rest", timer=timer, wake=NEVER if timer == NEVER else timer + 1)


def _audited(send: Send) -> Send:
    if send.by_rows != send.page.counts or set(send.by_rows) - FINAL:
        return settled(send)
    over = send.state in OVER
    state = send.state if over else "cancelled" if send.cancelling else "completed"
    return send._replace(state=state, totals=send.by_rows)


def _begin(send: Send, worker: int) -> Send:
    after = tidied(send)
    if after != send:
        send = after._replace(page=after.page._replace(counted=False))
    return send.with_pass(worker, Pass(heard=True, goes_on=send.state == "sending"))


def _of_pass(terms: Terms, send: Send, worker: int, pass_: Pass) -> Iterator[tuple[str, Send]]:
    if send.faults:
        yield f"kill {worker}", send.with_pass(worker, None)._replace(faults=send.faults - 1)
    for index, row in enumerate(send.rows):
        held = any(hand.seq == index for hand in pass_.hands)
        if row.state == "unknown" and row.not_before == 0:
            found = send.with_row(index, state="accepted", token=0) if row.copies else None
            absent = send.with_row(index, state="cancelled" if send.cancelling else "pending", token=0)
            yield f"ask {worker} {index}", found or absent
            if found and send.cancelling and send.faults:  # the journal does not show it yet
                yield f"ask too early {worker} {index}", absent._replace(faults=send.faults - 1)
        due = row.not_before == 0 and (row.state in {"pending", "deferred"} or (row.state, row.lease) == ("claimed", 0))
        if pass_.goes_on and due and not held and send.state == "sending":
            yield f"claim {worker} {index}", _claimed(terms, send, worker, index)
    for hand in pass_.hands:
        yield from _of_hand(terms, send, worker, hand)
    if not pass_.hands:
        done = settled(send).with_pass(worker, None)
        yield f"finish {worker}", done._replace(under_way=False, run="look") if pass_.heard else done


def _claimed(terms: Terms, send: Send, worker: int, index: int) -> Send:
    pass_ = send.passes[worker]
    assert pass_ is not None
    token = 1 + max(
        [row.token for row in send.rows] + [hand.token for one in send.passes if one for hand in one.hands], default=0
    )
    send = send.with_row(index, state="claimed", token=token, lease=LEASE)
    if terms.claim_uncounts:
        send = send._replace(page=send.page._replace(counted=False))
    return send.with_pass(worker, pass_._replace(hands=(*pass_.hands, Hand(index, token))))


def _of_hand(terms: Terms, send: Send, worker: int, hand: Hand) -> Iterator[tuple[str, Send]]:
    row, at = send.rows[hand.seq], hand.seq
    owns = row.token == hand.token and row.state in {"claimed", "handing_off"}
    if hand.phase == "claimed":
        if owns and row.state == "claimed" and row.lease and (send.state == "sending" or not terms.mark_asks_task):
            yield f"mark {worker} {at}", _marked(send, worker, hand)
        back = send.with_row(at, state="pending", token=0) if owns and row.state == "claimed" else send
        yield f"give back {worker} {at}", back.with_hand(worker, hand)
    elif hand.phase == "marked":
        yield from _of_connection(send, worker, hand, alive=bool(owns and row.lease))
    elif hand.phase == "250":
        late = row.state in FINAL
        heard = send if row.state == "accepted" else send.with_row(at, state="accepted", token=0, late=late)
        yield f"record 250 {worker} {at}", heard.with_hand(worker, hand)
    else:
        ended = {"state": "rejected"} if hand.phase == "550" else {"state": "deferred", "not_before": RETRY}
        heard = send.with_row(at, token=0, **ended) if owns else send
        yield f"record {hand.phase} {worker} {at}", heard.with_hand(worker, hand)


def _marked(send: Send, worker: int, hand: Hand) -> Send:
    row = send.rows[hand.seq]
    marked = send.with_row(hand.seq, state="handing_off", attempt=min(row.attempt + 1, 2), lease=LEASE)
    if send.state != "sending" or row.told:
        marked = marked._replace(broken="marked after the answer")
    return marked.with_hand(worker, hand, "marked")


def _of_connection(send: Send, worker: int, hand: Hand, *, alive: bool) -> Iterator[tuple[str, Send]]:
    """A connection lives no longer than the lease: behind that, the provider takes nothing over it."""
    row, at = send.rows[hand.seq], hand.seq
    if alive:
        taken = send.with_row(at, copies=row.copies + 1)
        if row.told:
            taken = taken._replace(broken="sent after the answer")
        yield f"dot taken {worker} {at}", taken.with_hand(worker, hand, "250")
        yield f"dot refused {worker} {at}", send.with_hand(worker, hand, "550")
        if row.attempt == 1:
            yield f"dot deferred {worker} {at}", send.with_hand(worker, hand, "450")
    else:
        yield f"dead {worker} {at}", send.with_hand(worker, hand)
    if send.faults:
        yield f"silence {worker} {at}", send.with_hand(worker, hand)._replace(faults=send.faults - 1)


def _of_sweeper(terms: Terms, send: Send) -> Iterator[tuple[str, Send]]:
    for index, row in enumerate(send.rows):
        if row.state == "handing_off" and row.lease == 0:
            yield f"lapse {index}", touched(terms, send)
        if row.late:
            yield f"correct {index}", touched(terms, send.with_row(index, late=False))


def _of_operators(terms: Terms, send: Send) -> Iterator[tuple[str, Send]]:
    if send.state == "sending":
        yield "pause", send._replace(state="paused", owed=True)
    if send.state == "paused" and not send.cancelling:
        yield "resume", send._replace(state="sending", owed=True)
    if send.state in {"sending", "paused"} and not send.cancelling:
        yield "cancel", send._replace(state="paused", cancelling=True, owed=True)
    for index, row in enumerate(send.rows):
        if row.state in WAITING and send.state in {"sending", "paused"} and not send.cancelling:
            yield f"skip {index}", _skipped(terms, send, index)
    failed = [index for index, row in enumerate(send.rows) if row.state == "rejected"]
    if failed and not send.cancelling and send.state != "cancelled":
        yield "retry", _retried(terms, send, failed)


def _skipped(terms: Terms, send: Send, index: int) -> Send:
    said = send.with_row(index, told=True)
    return touched(terms, said.with_row(index, state="skipped", token=0) if terms.skip_revokes else said)


def _retried(terms: Terms, send: Send, failed: list[int]) -> Send:
    for index in failed:
        send = send.with_row(index, state="pending", not_before=0, token=0)
    again = touched(terms, send)
    if send.state == "completed":
        again = again._replace(state="sending", totals=None)
    return again._replace(owed=True)


def wrong(send: Send) -> str:
    """The first promise that a state breaks; empty when all is well."""
    if send.broken:
        return send.broken
    if any(row.copies > 1 + row.resends for row in send.rows if row.state != "rejected"):
        return "a second copy"
    if send.exact != send.by_rows and not any(row.late for row in send.rows):
        return "counts that are not exact"
    if send.state in OVER and set(send.by_rows) - FINAL:
        return "over with open recipients"
    return ""


def drained(terms: Terms, send: Send, *, resume: bool) -> str:
    """Say what is left undone when nothing goes wrong any more: first whatever can be done, time only then."""
    send = send._replace(faults=0, actions=0)
    if resume and send.state == "paused" and not send.cancelling:
        send = send._replace(state="sending", owed=True)
    for _ in range(120):
        ready = [(name, after) for name, after in steps(terms, send) if after != send and name != "tick"]
        known = "lapse" if send.page.asks_at == 0 and not send.page.counted else "-"  # the sweeper has said so already
        ready.sort(key=lambda one: (*map(one[0].startswith, (known, "finish", "give back", "poke")), one[0]))
        before, send = send, ready[0][1] if ready else ticked(send)
        if before == send:
            break
    if set(send.by_rows) & DOUBT:
        return "nobody asks"
    if resume and (send.state not in OVER or send.totals != send.by_rows or send.run != "none"):
        return "never over"
    return ""
