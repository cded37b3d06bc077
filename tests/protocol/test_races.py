"""Two real transactions meet on one row: whichever comes first, the protocol's promises hold and nobody deadlocks."""

import asyncio
import random
from datetime import timedelta

import pytest
from psycopg.errors import DeadlockDetected

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

FIRST_OR_SECOND = pytest.mark.parametrize("swapped", [False, True], ids=["in this order", "the other way round"])


async def claimed(database: Database, tenants: Tenants, world: World | None = None) -> Product:
    """A notification alone, carried and claimed."""
    product = await open_product(database, tenants.alice, world or World())
    await product.claim(await product.gather())
    return product


async def meet(url: str, product: Product, swapped: bool, *acts: Act) -> list[object]:  # noqa: FBT001
    """Let two acts meet on the delivery's row; returns their results in the order given."""
    key = product.grips[0, 0].claim
    assert key is not None
    results = await in_line(url, ("deliveries", key.delivery_id), *(reversed(acts) if swapped else acts))
    return results[::-1] if swapped else results


async def state_of(product: Product) -> str:
    """Where the notification stands after a settling look."""
    row = (await product.row("note"))[0]
    if row["state"] == "open" and row["carrier_id"]:
        await product.finish(row["carrier_id"])
    return str((await product.row("note"))[0]["state"])


@FIRST_OR_SECOND
async def test_mark_and_cancel(database: Database, database_url: str, tenants: Tenants, swapped: bool) -> None:  # noqa: FBT001
    product = await claimed(database, tenants)
    marked, answer = await meet(database_url, product, swapped, product.mark, lambda: product.act("cancel"))
    assert (marked, answer) == ((False, "cancelled") if swapped else (True, "cancelling"))


@FIRST_OR_SECOND
async def test_mark_and_reschedule(database: Database, database_url: str, tenants: Tenants, swapped: bool) -> None:  # noqa: FBT001
    product = await claimed(database, tenants)
    marked, answer = await meet(database_url, product, swapped, product.mark, lambda: product.act("reschedule"))
    assert marked is not swapped
    assert answer == "rescheduled" if swapped else isinstance(answer, Conflict)


@FIRST_OR_SECOND
async def test_acceptance_and_cancel(database: Database, database_url: str, tenants: Tenants, swapped: bool) -> None:  # noqa: FBT001
    product = await claimed(database, tenants)
    await product.mark()
    recorded, answer = await meet(
        database_url, product, swapped, lambda: product.record(Verdict.ACCEPTED), lambda: product.act("cancel")
    )
    assert recorded is True
    assert answer == "cancelling" if swapped else isinstance(answer, Conflict)
    assert await state_of(product) == "sent"


@FIRST_OR_SECOND
async def test_refusal_and_cancel(database: Database, database_url: str, tenants: Tenants, swapped: bool) -> None:  # noqa: FBT001
    product = await claimed(database, tenants)
    await product.mark()
    await meet(database_url, product, swapped, lambda: product.record(Verdict.DEFERRED), lambda: product.act("cancel"))
    assert await state_of(product) == "cancelled"


@FIRST_OR_SECOND
async def test_late_acceptance_and_retry(database: Database, database_url: str, tenants: Tenants, swapped: bool) -> None:  # noqa: FBT001
    product = await claimed(database, tenants)
    await product.mark()
    await product.record(Verdict.REJECTED)
    assert await state_of(product) == "failed"
    _, answer = await meet(
        database_url, product, swapped, lambda: product.record(Verdict.ACCEPTED), lambda: product.act("retry")
    )
    assert answer == "open" if swapped else isinstance(answer, Conflict)
    if swapped:
        await product.gather()
    assert await state_of(product) == "sent"


@FIRST_OR_SECOND
async def test_acceptance_and_a_settling_pass(
    database: Database, database_url: str, tenants: Tenants, swapped: bool  # noqa: FBT001
) -> None:
    product = await claimed(database, tenants)
    carrier = (await product.row("note"))[0]["carrier_id"]
    await product.mark()
    await product.tick()
    await meet(database_url, product, swapped, lambda: product.record(Verdict.ACCEPTED), lambda: product.finish(carrier))
    assert await state_of(product) == "sent"


@FIRST_OR_SECOND
async def test_look_and_join(database: Database, database_url: str, tenants: Tenants, swapped: bool) -> None:  # noqa: FBT001
    product = await open_product(database, tenants.alice, World(notes=2, scheduled=1))
    carrier = await product.gather_waiting(0)
    acts: list[Act] = [lambda: product.look(carrier), lambda: product.gather_waiting(1, page=500)]
    results = await in_line(database_url, ("carriers", carrier), *(reversed(acts) if swapped else acts))
    plan = results[1 if swapped else 0]
    assert isinstance(plan, Plan)
    assert plan.counts == {"open": 2 if swapped else 1}
    assert (await product.row("note", 1))[0]["carrier_id"] == carrier
    assert (await product.carrier_row(carrier))["owed"] is not swapped


@FIRST_OR_SECOND
async def test_closing_look_and_join(database: Database, database_url: str, tenants: Tenants, swapped: bool) -> None:  # noqa: FBT001
    product = await open_product(database, tenants.alice, World(notes=2, scheduled=1))
    carrier = await product.gather_waiting(0)
    await product.act("cancel", 0)
    acts: list[Act] = [lambda: product.look(carrier), lambda: product.gather_waiting(1, page=500)]
    await in_line(database_url, ("carriers", carrier), *(reversed(acts) if swapped else acts))
    newcomer = (await product.row("note", 1))[0]["carrier_id"]
    assert (newcomer == carrier) is swapped
    assert (await product.carrier_row(newcomer))["state"] == "open"


@FIRST_OR_SECOND
async def test_release_and_reschedule(database: Database, database_url: str, tenants: Tenants, swapped: bool) -> None:  # noqa: FBT001
    product = await claimed(database, tenants, World(ticks=Ticks(delay=3, life=9)))
    carrier = (await product.row("note"))[0]["carrier_id"]
    await product.record(Verdict.DEFERRED)
    acts: list[Act] = [lambda: product.release(carrier), lambda: product.act("reschedule")]
    await in_line(database_url, ("notifications", product.notes[0]), *(reversed(acts) if swapped else acts))
    assert timedelta(0) <= 3 * TICK - (await product.row("note"))[0]["due"] < timedelta(minutes=1)


async def test_mark_and_cancel_many_times(database: Database, tenants: Tenants) -> None:
    choose = random.Random(7)  # noqa: S311 - a fixed seed is the point
    seen = set()
    for _ in range(60):
        product = await claimed(database, tenants)

        async def after(wait: float, act: Act) -> object:
            await asyncio.sleep(wait)
            return await act()

        marked, answer = await asyncio.gather(
            after(choose.random() / 300, product.mark),
            after(choose.random() / 300, lambda product=product: product.act("cancel")),  # type: ignore[misc]
        )
        assert (marked, answer) in {(True, "cancelling"), (False, "cancelled")}
        seen.add(answer)
    assert seen == {"cancelling", "cancelled"}


async def test_two_passes_never_claim_the_same(database: Database, tenants: Tenants) -> None:
    product = await open_product(database, tenants.alice, World(notes=6))
    carrier = await product.gather(5, page=500)
    taken = await asyncio.gather(*(product.claim(carrier, worker) for worker in range(4)))
    assert sorted(note for notes in taken for note in notes) == list(range(6))


async def test_two_relays_give_every_row_one_carrier(database: Database, tenants: Tenants) -> None:
    product = await open_product(database, tenants.alice, World(notes=6))
    await asyncio.gather(*(product.gather(0, page=2) for _ in range(3)), return_exceptions=True)
    async with database.system_transaction() as connection:
        rows = await connection.execute(
            "SELECT size, (SELECT count(*) FROM notifications WHERE carrier_id = c.id) AS members FROM carriers c "
            "WHERE tenant_id = %s",
            (tenants.alice.id,),
        )
        sizes = [(row["size"], row["members"]) async for row in rows]
    assert sizes
    assert all(size == members for size, members in sizes)


async def test_no_order_of_statements_deadlocks(database: Database, tenants: Tenants) -> None:
    """Marks and records in the worst order, settling pages, looks, control, pokes and sweeps, all at once."""
    for seed in range(12):
        product = await open_product(database, tenants.alice, World(notes=8))
        carrier = await product.gather(7, page=500)
        await product.claim(carrier)
        acts = busy(product, [carrier])
        random.Random(seed).shuffle(acts)  # noqa: S311 - a fixed seed is the point
        results = await asyncio.gather(*(act() for act in acts), return_exceptions=True)
        wrong = [result for result in results if isinstance(result, Exception) and not isinstance(result, Conflict)]
        assert not wrong, wrong
        assert not any(isinstance(result, DeadlockDetected) for result in results)


def busy(product: Product, carriers: list) -> list[Act]:  # type: ignore[type-arg]
    """Everything that locks, for one page."""
    (carrier,) = carriers
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
