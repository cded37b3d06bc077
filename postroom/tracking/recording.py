"""Writes opens and clicks down behind the answer to them: in groups, and for nobody to wait for."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from psycopg import InterfaceError, OperationalError

from postroom.database.arrays import Integers, Texts, Uuids
from postroom.database.engine import Connection, Database
from postroom.errors import Unavailable
from postroom.feedback.evidence import learn_accepted
from postroom.rates import Rate
from postroom.timing import Timing
from postroom.tracking.machines import Machine
from postroom.tracking.tokens import Mail, TouchKind

log = logging.getLogger(__name__)

GROUP = 1_000  # touches of one transaction
WAITING = 100_000  # more than these are let go: a flood must not become memory
MOST = 100  # touches of one kind that are kept of one message
MANY_LINKS = 3
PAUSE_SECONDS = 0.5  # while the database is away
WRITE_SECONDS = 30.0  # a group takes a tenth of one; longer means that nobody is there any more
FAREWELL_SECONDS = 5.0

# Of a message that was never handed off nobody can have a token; what was deleted meanwhile has no row to join.
WRITE = """
WITH asked AS (
    SELECT *, clock_timestamp() - age AS at,
           row_number() OVER (PARTITION BY delivery_id, kind ORDER BY age DESC) AS number
    FROM unnest(%(ids)b::uuid[], %(tenants)b::uuid[], %(kinds)b::text[], %(links)b::int[], %(machines)b::text[],
                %(ages)s::interval[]) AS asked (delivery_id, tenant_id, kind, link, machine, age)
)
INSERT INTO delivery_touches (tenant_id, delivery_id, task_id, kind, link, at, machine)
SELECT d.tenant_id, d.id, d.task_id, a.kind, nullif(a.link, 0), a.at, coalesce(a.machine, CASE
    WHEN d.state = 'handing_off' OR (d.state = 'accepted' AND a.at < d.ended_at + %(soon)s)
        OR (d.state IN ('unknown', 'held') AND a.at < d.marked_at + %(soon)s) THEN %(at_once)s END)
FROM asked a JOIN deliveries d ON d.id = a.delivery_id AND d.tenant_id = a.tenant_id
WHERE d.attempt > 0 AND a.number + (
    SELECT count(*) FROM (SELECT FROM delivery_touches t WHERE t.delivery_id = a.delivery_id AND t.kind = a.kind
                          LIMIT %(most)s) AS kept) <= %(most)s
ORDER BY a.age DESC
RETURNING delivery_id, machine
"""

# Seen only when the last of them comes, so that those before change what they count as.
SWEPT = """
WITH swept AS (
    SELECT delivery_id FROM delivery_touches
    WHERE delivery_id = ANY(%(ids)s) AND kind = 'click' AND at > clock_timestamp() - %(burst)s
    GROUP BY delivery_id HAVING count(DISTINCT coalesce(link, 0)) >= %(many)s
)
UPDATE delivery_touches t SET machine = %(name)s FROM swept s
WHERE t.delivery_id = s.delivery_id AND t.kind = 'click' AND t.machine IS NULL
    AND t.at > clock_timestamp() - %(burst)s
RETURNING t.delivery_id
"""


@dataclass(frozen=True, slots=True)
class Touch:
    """One open or click; `link` is 0 where the link has no position."""

    mail: Mail
    kind: TouchKind
    link: int = 0
    machine: Machine | None = None
    at: float = field(default_factory=lambda: asyncio.get_running_loop().time())


class TouchRecorder:
    """Records what one process sees; what came during one statement is lost when it is killed, and nothing else."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._timing = timing
        self._waiting: deque[Touch] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._let_go = 0
        # A crowd opens its mails from the one address of its provider's proxy, so nobody is counted by address. What
        # one mail brings beyond this would not be kept: whoever has its links keeps no other's from being written.
        self._rate = Rate(MOST)

    def note(self, touch: Touch) -> None:
        """Take a touch; returns at once, whatever the database does."""
        if not self._rate.hit((touch.mail.delivery_id, touch.kind)).allowed:
            return
        if len(self._waiting) >= WAITING:
            self._let_go += 1
            return
        self._waiting.append(touch)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())

    async def close(self) -> None:
        """Write what waits, for some seconds at most."""
        if self._writing:
            _, late = await asyncio.wait({self._writing}, timeout=FAREWELL_SECONDS)
            for task in late:
                task.cancel()
                await asyncio.wait({task})

    async def _write_all(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
            try:
                async with asyncio.timeout(WRITE_SECONDS), self._database.system_transaction() as connection:
                    await write_touches(connection, group, self._timing)
            except (OperationalError, InterfaceError, Unavailable, TimeoutError) as error:
                log.warning("%d opens and clicks wait: %s", len(self._waiting) + len(group), type(error).__name__)
                self._waiting.extendleft(reversed(group))
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:  # whatever it is, the next group is another one
                log.exception("%d opens and clicks could not be written", len(group))
            if self._let_go:
                log.warning("%d opens and clicks were let go", self._let_go)
                self._let_go = 0


async def write_touches(connection: Connection, group: Sequence[Touch], timing: Timing) -> None:
    """Write touches of any tenants, and believe what they prove, in the caller's transaction.

    A scanner sees a mail before the server behind it has taken it, or refused it: only people prove that it arrived.
    """
    now = asyncio.get_running_loop().time()
    clicked: set[UUID] = {one.mail.delivery_id for one in group if one.kind is TouchKind.CLICK}
    written = await connection.execute(
        WRITE,
        {
            "ids": Uuids(one.mail.delivery_id for one in group),
            "tenants": Uuids(one.mail.tenant_id for one in group),
            "kinds": Texts(str(one.kind) for one in group),
            "links": Integers(one.link for one in group),
            "machines": Texts(one.machine and str(one.machine) for one in group),
            "ages": [timedelta(seconds=now - one.at) for one in group],
            "soon": timing.touch_at_once,
            "at_once": str(Machine.AT_ONCE),
            "most": MOST,
        },
    )
    read = {row["delivery_id"] async for row in written if row["machine"] is None}
    if clicked:
        name, ids = str(Machine.EVERY_LINK), sorted(clicked)
        asked = {"ids": ids, "burst": timing.touch_burst, "many": MANY_LINKS, "name": name}
        read -= {row["delivery_id"] async for row in await connection.execute(SWEPT, asked)}
    await learn_accepted(connection, sorted(read), timing)
