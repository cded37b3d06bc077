"""Lives a list of wishes to its end on the real tables: relay, passes, sweeper and callers, with time moved by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from postroom.carriers.gathering import PageSize, gather_due, gather_waiting, groups
from postroom.carriers.looking import Lookout
from postroom.contracts.carriers import Plan
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.locking import lock_free
from postroom.deliveries.settling import correct_late, settle
from postroom.errors import Conflict, Invalid
from postroom.identity import address_hash
from postroom.notifications.control import Control
from postroom.timing import Timing
from tests.fixtures.database import Tenant, make_tenants
from tests.fixtures.house import PEPPER, outfit, pass_over, send
from tests.fixtures.rows import Draft, accepted, rows
from tests.pages.speaking import Speaking
from tests.pages.wishes import EMAIL, IN_APP, LAST_ACTION, NIGHT, PAUSE, TICK, Action, Address, Days, Mood, Wish
from tests.protocol.ground import SHIFTS

TIMING = replace(
    Timing(),
    retry_first=TICK,
    retry_second=2 * TICK,
    retry_third=3 * TICK,
    evidence_pause=TICK,
    absence_window=TICK,
    hold=4 * TICK,
    release_after=TICK * 1.5,
    life_security=6 * TICK,
)
LONG = 200  # ticks within which everything must have ended
PASSES = 40  # at one carrier within one tick: more is a carrier that spins

SUPPRESS = "INSERT INTO suppressions (tenant_id, channel, address_hash, reason) VALUES (%s, %s, %s, 'test')"
OFF = """
INSERT INTO preferences (tenant_id, user_id, notification_type, channel, enabled) VALUES (%s, %s, '*', %s, false)
"""
PAUSED = "INSERT INTO contacts (tenant_id, user_id, paused_until) VALUES (%s, %s, now() + %s)"
# It begins in the middle between two ticks and ends on one, so that a run at another second is the same run.
ASLEEP = """
INSERT INTO contacts (tenant_id, user_id, time_zone, quiet_hours)
SELECT %s, %s, 'UTC', jsonb_build_object(
    'start', to_char(now() AT TIME ZONE 'UTC' - %s, 'HH24:MI'),
    'end', to_char(now() AT TIME ZONE 'UTC' + %s, 'HH24:MI'))
"""
SHIFT_NIGHT = """
UPDATE contacts SET quiet_hours = jsonb_build_object(
    'start', to_char((quiet_hours ->> 'start')::time - %(by)s, 'HH24:MI'),
    'end', to_char((quiet_hours ->> 'end')::time - %(by)s, 'HH24:MI'))
WHERE tenant_id = %(tenant)s AND quiet_hours IS NOT NULL
"""
SHIFT_PAUSE = "UPDATE contacts SET paused_until = paused_until - %(by)s WHERE tenant_id = %(tenant)s"
OPEN_CARRIERS = "SELECT id FROM carriers WHERE tenant_id = %s AND state = 'open' ORDER BY id"
OPEN = "SELECT id FROM notifications WHERE tenant_id = %s AND state = 'open' ORDER BY id"
ENDS = """
SELECT n.state, n.reason, n.ambiguous, array(
    SELECT concat_ws(' ', d.channel, d.state, coalesce(d.reason, '-'), 'attempt', d.attempt, 'resends', d.resends)
    FROM deliveries d WHERE d.notification_id = n.id ORDER BY d.position) AS deliveries
FROM notifications n WHERE n.id = ANY(%s) ORDER BY array_position(%s::uuid[], n.id)
"""


class End(NamedTuple):
    """What became of one notification, at which tick, and what was answered to whoever acted on it meanwhile."""

    state: str
    reason: str
    ambiguous: bool
    at: int
    deliveries: tuple[str, ...]
    answers: tuple[str, ...]


class Life:
    """One tenant whose notifications travel in carriers of up to `page`."""

    def __init__(  # noqa: PLR0913 - a constructor
        self, database: Database, tenant: Tenant, wishes: Sequence[Wish], days: Days, page: int
    ) -> None:
        self._database = database
        self._tenant = tenant
        self._wishes = wishes
        self._size = PageSize(page, 0 if page > 1 else 1, TIMING.watch_grace)
        self._channels = {kind: Speaking(kind, wishes, days) for kind in (EMAIL, IN_APP)}
        self._outfit = outfit(database, TIMING, self._channels)
        self._lookout = Lookout(TIMING)
        self._control = Control(database, TIMING)
        self._answers: list[list[str]] = [[] for _ in wishes]
        self._ids: list[UUID] = []
        self._still_open: set[UUID] = set()
        self._ended_at: dict[UUID, int] = {}

    async def live(self) -> list[End]:
        """Live until nothing is open and nobody will act any more."""
        await self._accept()
        now = 0
        while now <= LONG:
            await self._act(now)
            wait = await self._settle_down()
            await self._note_ends(now)
            if wait is None and now >= LAST_ACTION:
                return await self._ends()
            step = min(wait or LONG, LAST_ACTION) if now >= LAST_ACTION else 1
            now = await self._pass_time(now, step)
        raise AssertionError(f"still open after {LONG} ticks")

    async def _accept(self) -> None:
        for number, wish in enumerate(self._wishes):
            draft = Draft(
                self._tenant.id,
                user_id=None if wish.inbox is Address.MISSING else f"user{number}",
                channels=wish.channels,
                strategy=wish.strategy,
                message_class=wish.message_class,
                delay=wish.delay * TICK,
                life=wish.life * TICK,
                fallback=wish.share * TICK,
                metadata={"wish": number} | ({} if wish.email is Address.MISSING else {"email": _email(number)}),
            )
            self._ids.append(await accepted(self._database, draft))
            self._still_open.add(self._ids[-1])
            for kind, address, known in ((EMAIL, _email(number), wish.email), (IN_APP, f"user{number}", wish.inbox)):
                if known is Address.SUPPRESSED:
                    await self._change(SUPPRESS, self._tenant.id, kind, address_hash(PEPPER, kind, address))
            await self._say(f"user{number}", wish.mood)

    async def _say(self, user_id: str, mood: Mood) -> None:
        if mood is Mood.PAUSED:
            await self._change(PAUSED, self._tenant.id, user_id, PAUSE * TICK)
        elif mood is Mood.ASLEEP:
            await self._change(ASLEEP, self._tenant.id, user_id, TICK / 2, NIGHT * TICK)
        elif mood is not Mood.OPEN:
            await self._change(OFF, self._tenant.id, user_id, "email" if mood is Mood.NO_MAIL else "*")

    async def _act(self, now: int) -> None:
        for number, wish in enumerate(self._wishes):
            for action in wish.actions:
                if action.at == now:
                    self._answers[number].append(await self._answer(self._ids[number], action))

    async def _answer(self, one: UUID, action: Action) -> str:
        try:
            if action.verb == "reschedule":
                return await self._control.reschedule(self._tenant.id, one, datetime.now(UTC) + action.by * TICK)
            verbs = {"cancel": self._control.cancel, "send_now": self._control.send_now, "retry": self._control.retry}
            return await verbs[action.verb](self._tenant.id, one)
        except (Conflict, Invalid) as refused:
            return refused.code

    async def _settle_down(self) -> int | None:
        """Relay, sweeper and carriers until all of them wait; returns the ticks to the next thing, None for never."""
        await self._sweep()
        await self._gather()
        released = True
        waits: list[timedelta | None] = []
        while released:
            carriers = await rows(self._database, OPEN_CARRIERS, self._tenant.id)
            waits = [await self._carry(row["id"]) for row in carriers]
            released = await self._gather()
        lasting = [wait for wait in waits if wait is not None]
        return max(1, math.ceil(min(lasting) / TICK)) if lasting else None

    async def _gather(self) -> bool:
        placed = 0
        async with self._database.system_transaction() as connection:
            for group in await groups(connection):
                if group.tenant_id == self._tenant.id:
                    placed += await gather_due(connection, group, self._size)
                    placed += await gather_waiting(connection, group, self._size)
        return placed > 0

    async def _carry(self, carrier: UUID) -> timedelta | None:
        """What the workflow of a carrier does until it sleeps or closes; returns how long it sleeps."""
        plan = await self._look(carrier)
        for _ in range(PASSES):
            if plan.closed or not plan.due:
                return plan.wait
            for due in plan.due:
                await self._pass(carrier, due.channel)
            plan = await self._look(carrier)
        raise AssertionError(f"a carrier that spins: {plan}")

    async def _pass(self, carrier: UUID, channel: ChannelKind) -> None:
        await send(self._outfit, pass_over(self._tenant.id, carrier, channel))

    async def _look(self, carrier: UUID) -> Plan:
        async with self._database.tenant_transaction(self._tenant.id) as connection:
            return await self._lookout.look(connection, carrier)

    async def _sweep(self) -> None:
        async with self._database.system_transaction() as connection:
            found = await (await connection.execute(OPEN, (self._tenant.id,))).fetchall()
            await settle(connection, await lock_free(connection, [row["id"] for row in found]))
            await correct_late(connection, LONG)

    async def _note_ends(self, now: int) -> None:
        still_open = {row["id"] for row in await rows(self._database, OPEN, self._tenant.id)}
        self._ended_at |= dict.fromkeys(self._still_open - still_open, now)
        self._still_open = still_open

    async def _pass_time(self, now: int, ticks: int) -> int:
        for shift in (*SHIFTS, SHIFT_PAUSE, SHIFT_NIGHT):
            await self._change(shift, {"by": ticks * TICK, "tenant": self._tenant.id})
        for channel in self._channels.values():
            channel.now = now + ticks
        return now + ticks

    async def _change(self, statement: str, *values: object) -> None:
        parameters = values[0] if isinstance(values[0], dict) else values
        async with self._database.system_transaction() as connection:
            await connection.execute(statement, parameters)

    async def _ends(self) -> list[End]:
        found = await rows(self._database, ENDS, self._ids, self._ids)
        return [
            End(
                row["state"],
                row["reason"],
                row["ambiguous"],
                self._ended_at[one],
                *map(tuple, (row["deliveries"], told)),
            )
            for one, row, told in zip(self._ids, found, self._answers, strict=True)
        ]


async def live(database: Database, wishes: Sequence[Wish], days: Days, page: int) -> list[End]:
    """Live these wishes once, for a tenant nobody had before."""
    tenant = (await make_tenants(database)).alice
    return await Life(database, tenant, wishes, days, page).live()


def _email(number: int) -> str:
    return f"user{number}@example.com"
