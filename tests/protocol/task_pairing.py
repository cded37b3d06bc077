"""The model of a bulk send and the product side by side: both take every step, and must agree after each."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from postroom.channels.base import Evidence, Verdict
from postroom.errors import Conflict
from tests.protocol.ground import in_ticks
from tests.protocol.pairing import LEASED, agree
from tests.protocol.task_sql import TaskProduct
from tests.protocol.task_steps import steps
from tests.protocol.tasks import NEVER, Row, Send, Terms, begin

OPERATORS = ("pause", "resume", "cancel", "skip", "retry")
# What happens on the wire, in a process or in the engine, and leaves the rows as they are.
UNWRITTEN = ("terminate", "kill", "dot taken", "dot refused", "dot deferred", "dead", "silence")
FAR = 20  # in ticks: who waits has days, and the model has no end of them
WAITS = frozenset({"pending", "deferred", "unknown"})
ENDED_SO = {"completed_with_failures": "completed"}


class TaskPair:
    """Both worlds in one state."""

    def __init__(self, terms: Terms, product: TaskProduct) -> None:
        """Begin where the audience is frozen."""
        self.terms = terms
        self.product = product
        self.send = begin(terms)

    def possible(self) -> list[tuple[str, Send]]:
        """The steps that both can take: the product claims in the order of ids, and the model whom it likes."""
        found = []
        for name, after in steps(self.terms, self.send):
            verb, numbers = parsed(name)
            if after != self.send and (verb != "claim" or numbers[1] == self._first_due()):
                found.append((name, after))
        return found

    def _first_due(self) -> int | None:
        free = {"pending", "deferred"}
        due = (row.state in free or (row.state, row.lease) == ("claimed", 0) for row in self.send.rows)
        return next((index for index, one in enumerate(due) if one), None)

    async def take(self, name: str, after: Send) -> None:
        """Take one of the steps that are possible."""
        verb, numbers = parsed(name)
        before, self.send = self.send, self._corrected(after) if verb == "correct" else after
        if verb in OPERATORS:
            await self._steered(verb, *numbers)
        elif verb not in UNWRITTEN:
            await getattr(self, "_" + verb.replace(" ", "_"))(before, *numbers)
        await self.compare(name)

    async def refuse(self, verb: str, index: int) -> None:
        """Ask for what the model has no step for: the product refuses it as well, and nothing changes."""
        names = {name for name, _ in steps(self.terms, self.send._replace(actions=1))}
        if verb in names or f"{verb} {index}" in names:
            return
        if verb == "skip" and self.send.state in {"sending", "paused"} and not self.send.cancelling:
            assert await self.product.skip(index) != "skipped" or self.send.rows[index].state == "skipped"
        elif verb == "retry" and self.send.state != "cancelled" and not self.send.cancelling:
            assert await self.product.retry() == 0
        else:
            with pytest.raises(Conflict):
                await self._steered(verb, index)
        await self.compare(f"{verb}, refused")

    async def _steered(self, verb: str, *numbers: int) -> None:
        if verb == "skip":
            assert await self.product.skip(*numbers) == "skipped"
        elif verb == "retry":
            assert await self.product.retry()
        else:
            await self.product.signal(verb)

    def _corrected(self, after: Send) -> Send:
        """The sweeper takes all there are at once."""
        late = (one for name, one in steps(self.terms, after) if parsed(name)[0] == "correct")
        more = next(late, None)
        return self._corrected(more) if more else after

    # The run, the watchdog, the sweeper, time.

    async def _poke(self, _before: Send) -> None:
        assert await self.product.poke()

    async def _watch(self, _before: Send) -> None:
        await self.product.watch()

    async def _look(self, before: Send) -> None:
        plan = await self.product.look()
        after = self.send
        audited = plan.audit and not before.under_way
        told = ("closed" if plan.closed else "due" if plan.due else "audit" if audited else "wait", plan.wait)
        if after.run == "none":
            agree("look", told[0], "closed")
        elif after.run == "look":
            agree("look", told[0], "audit")
            await self.product.audit()
        elif after.under_way and not before.under_way:
            agree("look", told[0], "due")
        elif not before.under_way:
            agree("look", (told[0], until(told[1])), ("wait", after.timer))

    async def _lapse(self, _before: Send, _index: int) -> None:
        await self.product.lapse()

    async def _correct(self, _before: Send, _index: int) -> None:
        await self.product.correct()

    async def _tick(self, _before: Send) -> None:
        await self.product.tick()

    # A pass.

    async def _begin(self, _before: Send, worker: int) -> None:
        pass_ = self.send.passes[worker]
        assert pass_ is not None
        agree("begin", await self.product.begin(), pass_.goes_on)

    async def _claim(self, _before: Send, worker: int, index: int) -> None:
        agree("claim", await self.product.claim(worker), [index])

    async def _mark(self, _before: Send, worker: int, index: int) -> None:
        assert await self.product.mark(worker, index)

    async def _give_back(self, before: Send, worker: int, index: int) -> None:
        """What the model does not mark, the product does not mark either."""
        if f"mark {worker} {index}" not in {name for name, _ in steps(self.terms, before)}:
            assert not await self.product.mark(worker, index)
        await self.product.record(Verdict.WITHDRAWN, worker, index)

    async def _record_250(self, _before: Send, worker: int, index: int) -> None:
        await self.product.record(Verdict.ACCEPTED, worker, index)

    async def _record_550(self, _before: Send, worker: int, index: int) -> None:
        await self.product.record(Verdict.REJECTED, worker, index)

    async def _record_450(self, _before: Send, worker: int, index: int) -> None:
        await self.product.record(Verdict.DEFERRED, worker, index)

    async def _ask(self, before: Send, _worker: int, index: int) -> None:
        await self.product.ask(index, Evidence.FOUND if before.rows[index].copies else Evidence.ABSENT)

    async def _ask_too_early(self, _before: Send, _worker: int, index: int) -> None:
        await self.product.ask(index, Evidence.ABSENT)

    async def _finish(self, _before: Send, _worker: int) -> None:
        await self.product.finish()

    # The comparison.

    async def compare(self, step: str) -> None:
        """Everything the model knows of the rows must stand in the rows, and in what is told of them."""
        found, page, task = await self.product.read()
        send = self.send
        agree(step, [*map(row_read, found)], [*map(row_expected, send.rows)])
        agree(
            step, page_read(page), (send.page.next_at, send.page.asks_at, send.page.counted, Counter(send.page.counts))
        )
        totals = None if send.totals is None else Counter(send.totals)
        agree(step, task_read(task), (send.state, send.cancelling, send.owed, send.wake, totals))
        counts = await self.product.counts()
        agree(step, Counter(counts), Counter(send.exact))
        assert sum(counts.values()) == self.terms.recipients


def parsed(name: str) -> tuple[str, list[int]]:
    """A step's verb and its numbers; a code is part of the verb."""
    words = name.split()
    numbers = [int(word) for word in words[1:] if len(word) == 1]
    return " ".join(word for word in words if len(word) > 1), numbers


def until(wait: timedelta | None) -> int:
    """A wait as the model counts it."""
    ticks = NEVER if wait is None else in_ticks(wait)
    return NEVER if ticks > FAR else ticks


def row_read(row: Mapping[str, Any]) -> tuple[object, ...]:
    """A recipient of the product; the model counts no further than the second attempt."""
    lease = in_ticks(row["lease"]) if row["state"] in LEASED else 0
    wait = in_ticks(row["wait"]) if row["state"] in WAITS else 0
    return (row["state"], min(row["attempt"], 2), row["resends"], row["late"], lease, wait)


def row_expected(row: Row) -> tuple[object, ...]:
    """A recipient of the model, in the same form."""
    lease, wait = row.lease if row.state in LEASED else 0, row.not_before if row.state in WAITS else 0
    return (row.state, row.attempt, row.resends, row.late, lease, wait)


def page_read(page: Mapping[str, Any]) -> tuple[object, ...]:
    """The page of the product."""
    return (until(page["next_at"]), until(page["asks_at"]), page["counted"], Counter(page["counts"]))


def task_read(task: Mapping[str, Any]) -> tuple[object, ...]:
    """The task of the product."""
    totals = None if task["totals"] is None else Counter(task["totals"])
    return (
        ENDED_SO.get(task["state"], task["state"]),
        task["cancel_requested"],
        task["owed"],
        until(task["wake"]),
        totals,
    )
