"""Hears that something was accepted or changed; the relay's short poll is the floor when nothing is heard."""

import asyncio
import logging
from datetime import timedelta

from psycopg import AsyncConnection, sql
from psycopg import Error as DatabaseError

from postroom.database.engine import Role, role_conninfo

log = logging.getLogger(__name__)

BELL = "postroom_relay"


async def listen(database_url: str, woken: asyncio.Event, pause: timedelta) -> None:
    """Set `woken` whenever somebody rings; connects again after `pause` when the database was away. Never returns."""
    while True:
        try:
            await _listen_once(database_url, woken)
        except DatabaseError as error:
            log.debug("the bell is silent: %s", type(error).__name__)
        await asyncio.sleep(pause.total_seconds())


async def _listen_once(database_url: str, woken: asyncio.Event) -> None:
    connection = await AsyncConnection.connect(role_conninfo(database_url, Role.SYSTEM), autocommit=True)
    async with connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(BELL)))
        woken.set()
        async for _ in connection.notifies():
            woken.set()
