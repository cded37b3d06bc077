"""The model and the product side by side: every step is taken by both, and they must agree after each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import pytest

from postroom.channels.base import Evidence, Verdict
from postroom.contracts.carriers import Plan
from postroom.errors import PostroomError
from tests.protocol.ground import in_ticks
from tests.protocol.looking import plan
from tests.protocol.model import Step, start, take_step
from tests.protocol.sql import Product
from tests.protocol.state import NEVER, NOWHERE, OPEN_DELIVERY, Carrier, Delivery, Note, State

CONTROL = frozenset({"cancel", "reschedule", "send_now", "retry"})
ENGINE = frozenset({
    "call", "lose_call", "wake", "terminate", "kill", "fall_silent", "envelope", "dot", "lose_mark", "mark_write",
})  # fmt: skip
LEASED = frozenset({"claimed", "handing_off"})
VERDICTS = {"4xx": Verdict.DEFERRED, "5xx": Verdict.REJECTED}
EVIDENCE = {"found": Evidence.FOUND, "absent": Evidence.ABSENT, "silent": Evidence.SILENT}


class Pair:
    """Both worlds in one state; `slots` says which carrier of the product stands for which of the model."""

    def __init__(self, product: Product) -> None:
        """Begin where everything is accepted and nobody's."""
        self.product = product
        self.world = product.world
        self.state = start(product.world)
        self.slots: dict[int, UUID] = {}

    async def take(self, step: Step) -> bool:
        """Take a step in both; what the model refuses the product must refuse too. Returns whether it was taken."""
        after = take_step(self.world, self.state, step)
        if after is None:
            await self._refused(step)
            return False
        before, self.state = self.state, after
        name, *operands = step
        numbers = [operand for operand in operands if isinstance(operand, int)]
        if name in CONTROL:
            await self._control(str(name), before, *numbers)
        elif name not in ENGINE:
            act: Callable[..., Awaitable[None]] = getattr(self, f"_{name}")
            await act(before, *numbers)
        await self.compare(step)
        return True

    async def _refused(self, step: Step) -> None:
        name, *operands = step
        if name not in CONTROL or self.state.actions == 0:
            return
        index = int(operands[0])
        note = self.state.notes[index]
        if name == "cancel" and note.cancel_requested and note.state == "open":
            return  # saying it twice changes nothing
        with pytest.raises(PostroomError):
            await self.product.act(str(name), index)
        if name == "retry":
            self.state = take_step(self.world, self.state, ("correct", index)) or self.state
        await self.compare(step)

    async def _control(self, name: str, _before: State, note: int) -> None:
        answer = await self.product.act(name, note)
        if name == "cancel":
            assert (answer == "cancelled") == (self.state.notes[note].state == "cancelled"), answer

    # The relay, the sweeper, time.

    async def _tick(self, _before: State) -> None:
        await self.product.tick()

    async def _gather(self, _before: State, note: int) -> None:
        self.slots[self.state.notes[note].carrier] = await self.product.gather(note)

    async def _gather_page(self, _before: State) -> None:
        self.slots[self.state.notes[-1].carrier] = await self.product.gather(len(self.state.notes) - 1, page=500)

    async def _gather_waiting(self, _before: State, note: int) -> None:
        self.slots[self.state.notes[note].carrier] = await self.product.gather_waiting(note)

    async def _join_waiting(self, _before: State, note: int, slot: int) -> None:
        assert await self.product.gather_waiting(note, page=500) == self.slots[slot]

    async def _poke(self, _before: State, slot: int) -> None:
        assert await self.product.poke(self.slots[slot]) == [self.slots[slot]]

    async def _watch(self, _before: State, slot: int) -> None:
        await self.product.watch(self.slots[slot])

    async def _lapse(self, _before: State, note: int) -> None:
        await self.product.sweep("lapse", note)

    async def _expire(self, _before: State, note: int) -> None:
        await self.product.sweep("expire", note)

    async def _correct(self, _before: State, _note: int) -> None:
        await self.product.correct()

    # Looks and passes.

    async def _look(self, before: State, slot: int) -> None:
        self._agree(before, slot, await self.product.look(self.slots[slot]))

    async def _look_unheard(self, before: State, slot: int) -> None:
        await self._look(before, slot)

    async def _begin(self, _before: State, _worker: int, slot: int) -> None:
        await self.product.begin(self.slots[slot])

    async def _finish(self, before: State, worker: int) -> None:
        slot = before.workers[worker].carrier
        settled = before._replace(notes=self.state.notes)  # the plan follows the settling in the same transaction
        self._agree(settled, slot, await self.product.finish(self.slots[slot]))

    async def _finish_unheard(self, before: State, worker: int) -> None:
        await self._finish(before, worker)

    def _agree(self, read: State, slot: int, answer: Plan) -> None:
        kind, ticks = plan(self.world, read, slot)
        told = "closed" if answer.closed else "due" if answer.due else "wait"
        assert told == kind, (answer, kind)
        if kind == "wait":
            assert (NEVER if answer.wait is None else in_ticks(answer.wait)) == ticks, answer

    async def _claim(self, before: State, worker: int) -> None:
        slot = before.workers[worker].carrier
        hands = self.state.workers[worker].hands
        fresh = [i for i, hand in enumerate(hands) if hand and hand != before.workers[worker].hands[i]]
        assert await self.product.claim(self.slots[slot], worker) == fresh

    async def _skip(self, before: State, worker: int, _note: int) -> None:
        await self.product.skip(self.slots[before.workers[worker].carrier])

    async def _put_off(self, before: State, worker: int) -> None:
        await self.product.put_off(self.slots[before.workers[worker].carrier])

    async def _release(self, before: State, worker: int, _note: int) -> None:
        await self.product.release(self.slots[before.workers[worker].carrier])

    # One message.

    async def _mark(self, _before: State, worker: int, note: int) -> None:
        hand = self.state.workers[worker].hands[note]
        assert await self.product.mark(worker, note) == (hand is not None and hand.phase == "marked")

    async def _withdraw(self, _before: State, worker: int, note: int) -> None:
        await self.product.record(Verdict.WITHDRAWN, worker, note)

    async def _record_accepted(self, _before: State, worker: int, note: int) -> None:
        await self.product.record(Verdict.ACCEPTED, worker, note)

    async def _record_definite(self, before: State, worker: int, note: int) -> None:
        await self.product.record(VERDICTS[phase(before, worker, note).rpartition(" ")[2]], worker, note)

    async def _record_silence(self, _before: State, worker: int, note: int) -> None:
        await self.product.record_silence(worker, note)

    async def _ask(self, before: State, worker: int, note: int) -> None:
        await self.product.ask(self.slots[before.workers[worker].carrier], worker, note)

    async def _resolve(self, before: State, worker: int, note: int) -> None:
        nothing = Evidence.ABSENT if self.world.answers else Evidence.SILENT
        await self.product.resolve(EVIDENCE.get(phase(before, worker, note), nothing), worker, note)

    # The comparison.

    async def compare(self, step: Step) -> None:
        """Everything the model knows of the rows must stand in the rows."""
        for index, note in enumerate(self.state.notes):
            row = (await self.product.row("note", index))[0]
            deliveries = await self.product.row("deliveries", index)
            agree(step, self._note_read(row, note), self._note_expected(note))
            agree(step, [*map(delivery_read, deliveries)], [*map(delivery_expected, note.deliveries)])
        for slot, carrier in enumerate(self.state.carriers):
            if carrier is not None:
                read = carrier_read(await self.product.carrier_row(self.slots[slot]))
                agree(step, read, carrier_expected(carrier))

    def _note_read(self, row: Mapping[str, Any], note: Note) -> tuple[object, ...]:
        ended = (row["state"], row["ambiguous"])
        if note.state != "open":
            return ended
        times = (in_ticks(row["due"]), in_ticks(row["expires"]))
        return (*ended, row["cancel_requested"], row["send_now"], *times, row["carrier_id"])

    def _note_expected(self, note: Note) -> tuple[object, ...]:
        ended = (note.state, note.ambiguous)
        if note.state != "open":
            return ended
        carrier = None if note.carrier == NOWHERE else self.slots[note.carrier]
        return (*ended, note.cancel_requested, note.send_now, note.due, note.expires, carrier)


def agree(step: Step | str, product: object, model: object) -> None:
    """Say both sides when they differ."""
    assert product == model, f"after {step} the product has {product}, the model {model}"


def phase(state: State, worker: int, note: int) -> str:
    """What the model's worker has heard."""
    hand = state.workers[worker].hands[note]
    return hand.phase if hand else ""


def delivery_read(row: Mapping[str, Any]) -> tuple[object, ...]:
    """A delivery of the product; times only where its state reads them."""
    lease = in_ticks(row["lease"]) if row["state"] in LEASED else 0
    wait = in_ticks(row["wait"]) if row["state"] in OPEN_DELIVERY - LEASED else 0
    expires = in_ticks(row["expires"]) if row["state"] in OPEN_DELIVERY else 0
    return (row["state"], row["attempt"], row["resends"], lease, wait, expires)


def delivery_expected(row: Delivery) -> tuple[object, ...]:
    """A delivery of the model, in the same form."""
    wait = row.not_before if row.state in OPEN_DELIVERY - LEASED else 0
    return (row.state, row.attempt, row.resends, row.lease, wait, row.expires if row.state in OPEN_DELIVERY else 0)


def carrier_read(row: Mapping[str, Any]) -> tuple[object, ...]:
    """A carrier of the product."""
    if row["state"] == "closed":
        return ("closed",)
    return (row["state"], row["owed"], in_ticks(row["poke"]) if row["owed"] else 0)


def carrier_expected(carrier: Carrier) -> tuple[object, ...]:
    """A carrier of the model, in the same form."""
    return (
        ("closed",) if carrier.state == "closed" else ("open", carrier.owed, carrier.next_poke if carrier.owed else 0)
    )
