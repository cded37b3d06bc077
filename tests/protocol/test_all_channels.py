"""Every channel at once (`strategy: all`): a few situations that one channel after the other never meets."""

from postroom.database.engine import Database
from postroom.errors import Conflict
from tests.fixtures.database import Tenants
from tests.protocol.rules import World
from tests.protocol.sql import Product, open_product


async def two_at_once(database: Database, tenants: Tenants, first: str, second: str) -> Product:
    """A notification whose two deliveries stand as given: conditions for an UPDATE's SET."""
    product = await open_product(database, tenants.alice, World(channels=2))
    async with database.system_transaction() as connection:
        await connection.execute("UPDATE notifications SET strategy = 'all' WHERE id = %s", (product.notes[0],))
    await product.claim(await product.gather())
    async with database.system_transaction() as connection:
        for position, values in enumerate((first, second)):
            await connection.execute(
                f"UPDATE deliveries SET token = NULL, {values} WHERE notification_id = %s AND position = %s",
                (product.notes[0], position),
            )
    return product


DEFERRED_AND_DUE = "state = 'deferred', attempt = 1"
NOT_ASKED_YET = "state = 'unknown', attempt = 1, marked_at = now(), not_before = now() + interval '1 hour'"


async def test_cancelling_while_one_is_unknown_and_one_waits_does_not_spin(
    database: Database, tenants: Tenants
) -> None:
    product = await two_at_once(database, tenants, DEFERRED_AND_DUE, NOT_ASKED_YET)
    async with database.system_transaction() as connection:
        await connection.execute("UPDATE notifications SET cancel_requested = true WHERE id = %s", (product.notes[0],))
    plan = await product.finish((await product.row("note"))[0]["carrier_id"])
    assert not plan.due
    assert plan.wait is not None


async def test_cancel_says_what_became_of_it_when_one_channel_has_sent(database: Database, tenants: Tenants) -> None:
    product = await two_at_once(database, tenants, "state = 'accepted'", DEFERRED_AND_DUE)
    try:
        answer = await product.act("cancel")
    except Conflict:
        answer = "sent"
    assert answer != "cancelled"
    assert next(row["state"] for row in await product.row("deliveries")) == "accepted"
