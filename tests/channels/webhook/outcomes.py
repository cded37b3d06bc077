"""What became of a webhook: its delivery and each of its attempts."""

from typing import Any
from uuid import UUID

from tests.fixtures.rows import change, deliveries, rows
from tests.fixtures.webhooks import Exchange


async def delivery(exchange: Exchange, one: UUID) -> dict[str, Any]:
    return (await deliveries(exchange.database, one))[0]


async def attempts(exchange: Exchange, one: UUID) -> list[dict[str, Any]]:
    statement = (
        "SELECT a.* FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id "
        "WHERE d.notification_id = %s ORDER BY a.id"
    )
    return await rows(exchange.database, statement, one)


async def due_again(exchange: Exchange, one: UUID) -> None:
    await change(exchange.database, "UPDATE deliveries SET not_before = now() WHERE notification_id = %s", one)
