"""Two real transactions meet on one row: whichever comes first, the protocol's promises hold and nobody deadlocks."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import TypeVar
from uuid import UUID

import pytest

from postroom.carriers.gathering import Group, PageSize, gather_due
from postroom.channels.base import Answer, Phase, Verdict
from postroom.contracts.carriers import Plan
from postroom.database.engine import Database, Role
from postroom.deliveries.ledger import MarkRequest, mark_all, record_all
from postroom.errors import Conflict
from tests.fixtures.database import Tenants
from tests.protocol.ground import TICK
from tests.protocol.queueing import Act, in_line
from tests.protocol.rules import Ticks, World
from tests.protocol.sql import WORKER, Product, open_product

T = TypeVar("T")


class Turn(StrEnum):
    """Which of two transactions comes first."""

    AS_NAMED = "in this order"
    SWAPPED = "the other way round"

    @property
    def swapped(self) -> bool:
        """The second one comes first."""
        return self is Turn.SWAPPED

    def order(self, things: Sequence[T]) -> Sequence[T]:
        """Put two things in their turn; doing it twice undoes it."""
        return things[::-1] if self.swapped else things


EITHER_TURN = pytest.mark.parametrize("turn", list(Turn))


async def claimed(database: Database, tenants: Tenants, world: World | None = None) -> Product:
    """A notification alone, carried and claimed."""
    product = await open_product(database, tenants.alice, world or World())
    await product.claim(await product.gather())
    return product


async def meet(url: str, product: Product, turn: Turn, *acts: Act) -> list[object]:
    """Let two acts meet on the delivery's row; returns their results in the order given."""
    key = product.grips[0, 0].claim
    assert key is not None
    return list(turn.order(await in_line(url, ("deliveries", key.delivery_id), *turn.order(acts))))


async def state_of(product: Product) -> str:
    """Where the notification stands after a settling look."""
    row = (await product.row("note"))[0]
    if row["state"] == "open" and row["carrier_id"]:
        await product.finish(row["carrier_id"])
    return str((await product.row("note"))[0]["state"])


@EITHER_TURN
async def test_mark_and_cancel(database: Database, database_url: str, tenants: Tenants, turn: Turn) -> None:
    product = await claimed(database, tenants)
    marked, answer = await meet(database_url, product, turn, product.mark, lambda: product.act("cancel"))
    assert (marked, answer) == ((False, "cancelled") if turn.swapped else (True, "cancelling"))


@EITHER_TURN
async def test_mark_and_reschedule(database: Database, database_url: str, tenants: Tenants, turn: Turn) -> None:
    product = await claimed(database, tenants)
    marked, answer = await meet(database_url, product, turn, product.mark, lambda: product.act("reschedule"))
    assert marked is not turn.swapped
    assert answer == "rescheduled" if turn.swapped else isinstance(answer, Conflict)


@EITHER_TURN
async def test_acceptance_and_cancel(database: Database, database_url: str, tenants: Tenants, turn: Turn) -> None:
    product = await claimed(database, tenants)
    await product.mark()
    recorded, answer = await meet(
        database_url, product, turn, lambda: product.record(Verdict.ACCEPTED), lambda: product.act("cancel")
    )
    assert recorded is True
    assert answer == "cancelling" if turn.swapped else isinstance(answer, Conflict)
    assert await state_of(product) == "sent"


@EITHER_TURN
async def test_refusal_and_cancel(database: Database, database_url: str, tenants: Tenants, turn: Turn) -> None:
    product = await claimed(database, tenants)
    await product.mark()
    await meet(database_url, product, turn, lambda: product.record(Verdict.DEFERRED), lambda: product.act("cancel"))
    assert await state_of(product) == "cancelled"


@EITHER_TURN
async def test_late_acceptance_and_retry(database: Database, database_url: str, tenants: Tenants, turn: Turn) -> None:
    product = await claimed(database, tenants)
    await product.mark()
    await product.record(Verdict.REJECTED)
    assert await state_of(product) == "failed"
    _, answer = await meet(
        database_url, product, turn, lambda: product.record(Verdict.ACCEPTED), lambda: product.act("retry")
    )
    assert answer == "open" if turn.swapped else isinstance(answer, Conflict)
    if turn.swapped:
        await product.gather()
    assert await state_of(product) == "sent"


@EITHER_TURN
async def test_acceptance_and_a_settling_pass(
    database: Database,
    database_url: str,
    tenants: Tenants,
    turn: Turn,
) -> None:
    product = await claimed(database, tenants)
    carrier = (await product.row("note"))[0]["carrier_id"]
    await product.mark()
    await product.tick()
    await meet(database_url, product, turn, lambda: product.record(Verdict.ACCEPTED), lambda: product.finish(carrier))
    assert await state_of(product) == "sent"


@EITHER_TURN
async def test_look_and_join(database: Database, database_url: str, tenants: Tenants, turn: Turn) -> None:
    product = await open_product(database, tenants.alice, World(notes=2, scheduled=1))
    carrier = await product.gather_waiting(0)
    acts: list[Act] = [lambda: product.look(carrier), lambda: product.gather_waiting(1, page=500)]
    results = await in_line(database_url, ("carriers", carrier), *turn.order(acts))
    plan = turn.order(results)[0]
    assert isinstance(plan, Plan)
    assert plan.counts == {"open": 2 if turn.swapped else 1}
    assert (await product.row("note", 1))[0]["carrier_id"] == carrier
    assert (await product.carrier_row(carrier))["owed"] is not turn.swapped


@EITHER_TURN
async def test_closing_look_and_join(database: Database, database_url: str, tenants: Tenants, turn: Turn) -> None:
    product = await open_product(database, tenants.alice, World(notes=2, scheduled=1))
    carrier = await product.gather_waiting(0)
    await product.act("cancel", 0)
    acts: list[Act] = [lambda: product.look(carrier), lambda: product.gather_waiting(1, page=500)]
    await in_line(database_url, ("carriers", carrier), *turn.order(acts))
    newcomer = (await product.row("note", 1))[0]["carrier_id"]
    assert (newcomer == carrier) is turn.swapped
    assert (await product.carrier_row(newcomer))["state"] == "open"


@EITHER_TURN
async def test_release_and_reschedule(database: Database, database_url: str, tenants: Tenants, turn: Turn) -> None:
    product = await claimed(database, tenants, World(ticks=Ticks(delay=3, life=9)))
    carrier = (await product.row("note"))[0]["carrier_id"]
    await product.record(Verdict.DEFERRED)
    acts: list[Act] = [lambda: product.release(carrier), lambda: product.act("reschedule")]
    await in_line(database_url, ("notifications", product.notes[0]), *turn.order(acts))
    assert timedelta(0) <= 3 * TICK - (await product.row("note"))[0]["due"] < timedelta(minutes=1)


async def test_mark_and_cancel_many_times(database: Database, tenants: Tenants) -> None:
    choose = random.Random(7)  # noqa: S311 - a fixed seed is the point
    seen = set()
    for _ in range(60):
        product = await claimed(database, tenants)
        marked, answer = await asyncio.gather(
            after(choose.random() / 300, product.mark), after(choose.random() / 300, partial(product.act, "cancel"))
        )
        assert (marked, answer) in {(True, "cancelling"), (False, "cancelled")}
        seen.add(answer)
    assert seen == {"cancelling", "cancelled"}


async def after(seconds: float, act: Act) -> object:
    """Act a moment later."""
    await asyncio.sleep(seconds)
    return await act()


async def test_two_passes_never_claim_the_same(database: Database, tenants: Tenants) -> None:
    product = await open_product(database, tenants.alice, World(notes=6))
    carrier = await product.gather(5, page=500)
    taken = await asyncio.gather(*(product.claim(carrier, worker) for worker in range(4)))
    assert sorted(note for notes in taken for note in notes) == list(range(6))


async def test_two_relays_give_every_row_one_carrier(database: Database, tenants: Tenants) -> None:
    product = await open_product(database, tenants.alice, World(notes=6))
    group = Group(3, tenants.alice.id, "email", tenants.alice.slug)

    async def gather() -> int:
        async with database.system_transaction() as connection:
            return await gather_due(connection, group, PageSize(page=4, alone=1, grace=TICK))

    placed = await asyncio.gather(*(gather() for _ in range(4)))
    assert sum(placed) == 6
    async with database.system_transaction() as connection:
        rows = await connection.execute(
            """SELECT c.size, (SELECT count(*) FROM notifications n WHERE n.carrier_id = c.id) AS members
               FROM carriers c WHERE c.tenant_id = %s""",
            (product.tenant.id,),
        )
        assert all([row["size"] == row["members"] async for row in rows])


async def test_no_order_of_statements_deadlocks(database: Database, tenants: Tenants) -> None:
    """Marks and records in the worst order, settling pages, looks, control, pokes and sweeps, all at once."""
    for seed in range(12):
        product = await open_product(database, tenants.alice, World(notes=8))
        carrier = await product.gather(7, page=500)
        await product.claim(carrier)
        acts = busy(product, carrier)
        random.Random(seed).shuffle(acts)  # noqa: S311 - a fixed seed is the point
        results = await asyncio.gather(*(act() for act in acts), return_exceptions=True)
        wrong = [result for result in results if isinstance(result, Exception) and not isinstance(result, Conflict)]
        assert not wrong, wrong


def busy(product: Product, carrier: UUID) -> list[Act]:
    """Everything that locks, for one page."""
    claims = [product.grips[0, note].claim for note in reversed(range(len(product.notes)))]

    async def mark_backwards() -> object:
        async with product.database.transaction(Role.LEDGER) as connection:
            asked = [MarkRequest(claim, b"bytes", "sink") for claim in claims if claim]
            return await mark_all(connection, asked, product.timing, WORKER)

    async def record_backwards() -> object:
        answer = Answer(Verdict.ACCEPTED, Phase.ANSWER, "accepted")
        async with product.database.transaction(Role.LEDGER) as connection:
            answers = [(claim, answer) for claim in claims[::2] if claim]
            return await record_all(connection, answers, product.timing, WORKER)

    return [
        mark_backwards,
        record_backwards,
        lambda: product.finish(carrier),
        lambda: product.finish(carrier),
        lambda: product.look(carrier),
        lambda: product.act("cancel", 0),
        lambda: product.act("cancel", 7),
        lambda: product.act("reschedule", 3),
        lambda: product.act("send_now", 4),
        lambda: product.record_silence(0, 5),
        lambda: product.poke(carrier),
        lambda: product.put_off(carrier),
    ]
