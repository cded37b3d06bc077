"""Pools of connections, one per database role. The role is part of the connection, so no statement can forget it."""

import select
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Composed
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from postroom.database.arrays import column_adapters
from postroom.database.turnstile import PATIENCE_SECONDS, Turnstile
from postroom.errors import Unavailable

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

POOL_PATIENCE_SECONDS = 5.0
CONNECT_SECONDS = 5
# A process that stops or loses its network inside a transaction gives up its locks after this; others go on then.
STANDSTILL_SECONDS = 10

# Together they are one round trip; what is set ends with the transaction. The hot statements find their rows by id: a
# plan for particular values is no better than the one for any, and making it anew each time is an eighth of their CPU.
BEGIN_AS_TENANT = """
BEGIN; SELECT set_config('app.tenant_id', {}, true), set_config('plan_cache_mode', 'force_generic_plan', true)
"""


class Role(StrEnum):
    """The database roles; the migrations grant each what its part of the house needs and nothing more."""

    APP = "postroom_app"
    SYSTEM = "postroom_system"
    LEDGER = "postroom_ledger"
    ACCEPT = "postroom_accept"


# Every statement of the product finds its rows through an index. A plan made while a table was still empty, or before
# its statistics caught up with a burst, must not become one that reads the whole of it.
PLANNING = ("jit=off", "enable_seqscan=off")
# The statements of these roles are few and find rows by id, ever the same way: planned anew each time, some cost twice
# as much. The application's own hot transactions ask for it in their opening; its lists are better off without.
PLANNED_ONCE = frozenset({Role.SYSTEM, Role.LEDGER, Role.ACCEPT})
PLAN_ONCE = "plan_cache_mode=force_generic_plan"
# Mark and record join a handful of rows by id: nothing beats looking each of them up.
LOOK_UP = ("enable_hashjoin=off", "enable_mergejoin=off")


def role_conninfo(database_url: str, role: Role) -> str:
    """Connection string that enters as the URL's user and becomes `role` at once."""
    plain = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    settings = [f"role={role}", f"idle_in_transaction_session_timeout={STANDSTILL_SECONDS}s", *PLANNING]
    settings += [PLAN_ONCE] if role in PLANNED_ONCE else []
    settings += LOOK_UP if role is Role.LEDGER else []
    given = conninfo_to_dict(plain).get("options") or ""
    options = " ".join([str(given), *(f"-c {setting}" for setting in settings)]).strip()
    return make_conninfo(plain, options=options, connect_timeout=CONNECT_SECONDS, application_name=str(role))


class Database:
    """The only way to rows: a tenant's own, or everything for the few parts that serve all tenants."""

    def __init__(self, engine: AsyncEngine, pools: dict[Role, Pool]) -> None:
        self._engine = engine
        self._pools = pools
        self._turnstile = Turnstile(max(1, pools[Role.APP].max_size // 2) if Role.APP in pools else 1)

    @asynccontextmanager
    async def tenant_session(self, tenant_id: UUID) -> AsyncIterator[AsyncSession]:
        """One SQLAlchemy transaction that sees one tenant; commits on a clean exit."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            await session.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": str(tenant_id)})
            yield session

    @asynccontextmanager
    async def tenant_transaction(self, tenant_id: UUID) -> AsyncIterator[Connection]:
        """One psycopg transaction that sees one tenant; for hot paths."""
        async with self._begun(Role.APP, SQL(BEGIN_AS_TENANT).format(str(tenant_id))) as connection:
            yield connection

    @asynccontextmanager
    async def large_question(self, tenant_id: UUID, patience: float = PATIENCE_SECONDS) -> AsyncIterator[Connection]:
        """One transaction that sees one tenant, for what reads very much: so many at once, and of each tenant fewer.

        Raises:
            TooMany: the tenant's turn did not come within `patience`, in seconds.
        """
        async with self._turnstile.place(tenant_id, patience), self.tenant_transaction(tenant_id) as connection:
            yield connection

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[Connection]:
        """One psycopg transaction over all tenants; `tests/architecture` names the modules that may ask for it."""
        async with self.transaction(Role.SYSTEM) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self, role: Role) -> AsyncIterator[Connection]:
        """One psycopg transaction as `role`.

        Raises:
            Unavailable: no connection could be had; nothing was done.
        """
        async with self._begun(role, SQL("BEGIN")) as connection:
            yield connection

    @asynccontextmanager
    async def statement(self, role: Role) -> AsyncIterator[Connection]:
        """Lend a connection on which each statement is its own transaction: one round trip, not three.

        Raises:
            Unavailable: no connection could be had; nothing was done.
        """
        async with self._begun(role) as connection:
            yield connection

    @asynccontextmanager
    async def _begun(self, role: Role, opening: SQL | Composed | None = None) -> AsyncIterator[Connection]:
        """Lend a connection after its opening statement; the pool commits, or rolls back for an exception."""
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(lent(self._pools[role]))
                if opening is not None:
                    await connection.execute(opening, prepare=False)
            except (PoolTimeout, OperationalError) as error:
                raise Unavailable("The database cannot be reached; nothing was done.", retry_after=5) from error
            yield connection


@asynccontextmanager
async def lent(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection that works; commits on a clean exit, else rolls back.

    Broken ones are given back until a sound one comes. The pool's own check would pause before each next one, longer
    every time: with four of them, some seconds after the server is back.

    Raises:
        PoolTimeout: none came in time.
    """
    limit = time.monotonic() + POOL_PATIENCE_SECONDS
    connection = await pool.getconn(limit - time.monotonic())
    while not still_open(connection):
        await connection.close()
        await pool.putconn(connection)
        connection = await pool.getconn(limit - time.monotonic())
    try:
        async with connection:
            yield connection
    finally:
        await pool.putconn(connection)


def still_open(connection: Connection) -> bool:
    """Whether a resting connection is sound, without a round trip.

    The server has nothing to say to one that rests; once it has ended, there is an end to be read.
    """
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return not poll.poll(0)


@asynccontextmanager
async def open_database(database_url: str, sizes: dict[Role, int]) -> AsyncIterator[Database]:
    """Open one pool per role with at most the given number of connections, and SQLAlchemy for the application role."""
    async with AsyncExitStack() as stack:
        pools: dict[Role, Pool] = {}
        for role, size in sizes.items():
            pool: Pool = AsyncConnectionPool(
                role_conninfo(database_url, role),
                connection_class=AsyncConnection[DictRow],
                kwargs={"row_factory": dict_row, "autocommit": True, "context": column_adapters()},
                min_size=min(2, size),
                max_size=size,
                timeout=POOL_PATIENCE_SECONDS,
                reconnect_timeout=POOL_PATIENCE_SECONDS,
                open=False,
            )
            pools[role] = await stack.enter_async_context(pool)
        engine = sqlalchemy_engine(database_url, Role.APP, sizes[Role.APP])
        stack.push_async_callback(engine.dispose)
        yield Database(engine, pools)


def sqlalchemy_engine(database_url: str, role: Role, size: int) -> AsyncEngine:
    """Return SQLAlchemy's engine as `role`; it checks a connection before use, so a restarted server is no error."""
    arguments: dict[str, Any] = conninfo_to_dict(role_conninfo(database_url, role))
    return create_async_engine(
        URL.create("postgresql+psycopg"),
        connect_args=arguments,
        pool_size=size,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,  # errors go to the log, and the values are people's
    )


def owner_arguments(database_url: str) -> dict[str, Any]:
    """Arguments of a connection as the owner of the tables, for migrations."""
    return dict(conninfo_to_dict(database_url.replace("postgresql+psycopg://", "postgresql://", 1)))
