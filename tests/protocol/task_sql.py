"""The product's own statements for a task under the names of the model's steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from postroom.campaigns.pages import counts
from postroom.campaigns.sending.claiming import PageDesk
from postroom.campaigns.sending.ending import audit, recount
from postroom.campaigns.sending.freezing import Freezer
from postroom.campaigns.sending.looking import TaskLookout
from postroom.campaigns.sending.orders import Order, order
from postroom.campaigns.sending.poking import WATCH, take_pokes
from postroom.campaigns.sending.settling import doubts, settle_page, tidy
from postroom.campaigns.sending.sweeping import find_lapsed, take_late
from postroom.campaigns.steering.control import Signal, TaskControl
from postroom.campaigns.steering.correcting import Corrections, Failures
from postroom.campaigns.transitions import Action
from postroom.channels.base import Answer, Evidence, Phase, Verdict
from postroom.contracts.campaigns import LookAtTask, TaskPlan
from postroom.contracts.vocabulary import DeliveryState
from postroom.database.engine import Connection, Database, Role
from postroom.deliveries.claiming import Desk
from postroom.deliveries.ledger import Claim, MarkRequest, mark_all, record_all
from postroom.deliveries.reconciling import Resolution
from postroom.tenants.gate import Identity
from postroom.timing import Timing
from tests.fixtures.database import Tenant
from tests.fixtures.links import LINKS
from tests.fixtures.rows import rows
from tests.fixtures.tasks import Sale, launched, people, recipients, task_row
from tests.protocol.ground import TICK
from tests.protocol.sql import PEPPER, WORKER

EVERYBODY = 10_000
PAGE = 1
AT_ONCE = timedelta(0)
TIMING = replace(
    Timing(),
    retry_first=TICK,
    claim_lease=TICK,
    hand_off_patience=TICK,
    mark_to_body=AT_ONCE,
    command_patience=AT_ONCE,
    absence_window=AT_ONCE,
    watch_grace=TICK,
    poke_backoff=AT_ONCE,
    poke_backoff_last=AT_ONCE,
)
SHIFTS = (
    """UPDATE deliveries SET lease_until = lease_until - %(by)s, not_before = not_before - %(by)s,
       marked_at = marked_at - %(by)s WHERE task_id = %(task)s""",
    "UPDATE task_pages SET next_at = next_at - %(by)s, asks_at = asks_at - %(by)s WHERE task_id = %(task)s",
    "UPDATE campaign_tasks SET wake_by = wake_by - %(by)s WHERE id = %(task)s",
)
ROWS = """
SELECT state, attempt, resends, late, lease_until - clock_timestamp() AS lease, not_before - clock_timestamp() AS wait
FROM deliveries WHERE task_id = %s ORDER BY id
"""
PAGES = """
SELECT next_at - clock_timestamp() AS next_at, asks_at - clock_timestamp() AS asks_at, counted, counts
FROM task_pages WHERE task_id = %s
"""
TASK = """
SELECT state, cancel_requested, owed, totals, wake_by - clock_timestamp() AS wake FROM campaign_tasks WHERE id = %s
"""


@dataclass
class TaskProduct:
    """One task whose audience is frozen on one page; recipients have the numbers of their deliveries' ids in order."""

    database: Database
    who: Identity
    task_id: UUID
    deliveries: list[UUID] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    claims: dict[tuple[int, int], Claim] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build the parts of the product once."""
        self.at = LookAtTask(self.who.tenant_id, self.task_id, window=1)
        self.control = TaskControl(self.database)
        self.corrections = Corrections(self.database)
        self.resolution = Resolution(TIMING, WORKER)
        self.lookout = TaskLookout(TIMING)
        self.desk = PageDesk(Desk(TIMING, PEPPER, "Postroom <no-reply@mail.example>", page=500, links=LINKS))

    # The run and the watchdog.

    async def poke(self) -> bool:
        """Whether the task is taken to be poked."""
        async with self.database.system_transaction() as connection:
            return self.task_id in {poke.id for poke in await take_pokes(connection, TIMING, EVERYBODY)}

    async def watch(self) -> None:
        """Owe a look to who overslept."""
        async with self.database.system_transaction() as connection:
            await connection.execute(WATCH, {"limit": EVERYBODY})

    async def look(self) -> TaskPlan:
        """One look."""
        async with self.database.tenant_transaction(self.who.tenant_id) as connection:
            return await self.lookout.look(connection, self.at)

    async def audit(self) -> None:
        """The audit, and what follows when pages and rows contradict each other."""
        async with self.database.tenant_transaction(self.who.tenant_id) as connection:
            agreed = await audit(connection, self.task_id)
        if not agreed:
            await recount(self.database, self.who.tenant_id, self.task_id)

    # A pass.

    async def begin(self) -> bool:
        """The first step of a pass; returns whether it may hand anything off."""
        async with self.database.tenant_transaction(self.who.tenant_id) as connection:
            begun = await self._order(connection)
            await tidy(connection, begun)
            return begun.goes_on

    async def claim(self, worker: int) -> list[int]:
        """Claim the first that is due; returns whom."""
        async with self.database.tenant_transaction(self.who.tenant_id) as connection:
            claimed = await self.desk.claim(connection, await self._order(connection), 1)
        found = {self.deliveries.index(one.claim.delivery_id): one.claim for one in claimed}
        self.claims |= {(worker, index): claim for index, claim in found.items()}
        return list(found)

    async def finish(self) -> None:
        """The last step of a pass."""
        async with self.database.tenant_transaction(self.who.tenant_id) as connection:
            await settle_page(connection, await self._order(connection), AT_ONCE)

    async def _order(self, connection: Connection) -> Order:
        found = await order(connection, self.task_id, PAGE)
        assert found is not None
        return found

    # One recipient.

    async def mark(self, worker: int, index: int) -> bool:
        """Whether the mark was written."""
        asked = [MarkRequest(self.claims[worker, index], b"the bytes", "sink")]
        async with self.database.transaction(Role.LEDGER) as connection:
            return bool(await mark_all(connection, asked, TIMING, WORKER))

    async def record(self, verdict: Verdict, worker: int, index: int) -> None:
        """Write down what the provider said, or that nothing was begun."""
        answer = Answer(verdict, Phase.ANSWER, f"test_{verdict}", provider="sink")
        async with self.database.transaction(Role.LEDGER) as connection:
            await record_all(connection, [(self.claims[worker, index], answer)], TIMING, WORKER)

    async def ask(self, index: int, evidence: Evidence) -> None:
        """Apply what is known of a hand-off that nobody answered."""
        async with self.database.tenant_transaction(self.who.tenant_id) as connection:
            found = await doubts(connection, await self._order(connection), EVERYBODY)
            doubt = next(one for one in found if one.id == self.deliveries[index])
            await self.resolution.apply(connection, [doubt], {doubt.id: evidence})

    # The sweeper.

    async def lapse(self) -> None:
        """All hand-offs whose lease is over."""
        async with self.database.system_transaction() as connection:
            await find_lapsed(connection, EVERYBODY)

    async def correct(self) -> None:
        """All that was learned late."""
        async with self.database.system_transaction() as connection:
            await take_late(connection, EVERYBODY)

    # Operators.

    async def signal(self, verb: str) -> None:
        """Pause, resume or cancel; raises Conflict."""
        await self.control.signal(self.who, self.task_id, Signal(Action(verb)))

    async def skip(self, index: int) -> str:
        """Leave somebody out; returns what became of it, or raises Conflict."""
        user = self.users[index]
        return (await self.corrections.skip(self.who, self.task_id, [user])).outcomes[user]

    async def retry(self) -> int:
        """Take up whoever was rejected; returns how many, or raises Conflict."""
        failures = Failures(frozenset({DeliveryState.REJECTED}))
        return (await self.corrections.retry(self.who, self.task_id, failures)).retried

    # Time, and a look at everything.

    async def tick(self) -> None:
        """Let time pass: every time of the task moves back."""
        async with self.database.system_transaction() as connection:
            for shift in SHIFTS:
                await connection.execute(shift, {"by": TICK, "task": self.task_id})

    async def read(self) -> tuple[list[dict[str, Any]], Mapping[str, Any], Mapping[str, Any]]:
        """The recipients, the page and the task."""
        [page] = await rows(self.database, PAGES, self.task_id)
        [task] = await rows(self.database, TASK, self.task_id)
        return await rows(self.database, ROWS, self.task_id), page, task

    async def counts(self) -> dict[str, int]:
        """What reports say."""
        async with self.database.tenant_transaction(self.who.tenant_id) as connection:
            return await counts(connection, self.task_id)


async def open_task(database: Database, tenant: Tenant, count: int) -> TaskProduct:
    """A task that was launched for so many people, with its audience frozen."""
    await people(database, tenant.id, count)
    task_id = await launched(database, Sale(tenant.id))
    created_by = (await task_row(database, task_id))["created_by"]
    product = TaskProduct(database, Identity(tenant.id, tenant.slug, created_by, frozenset()), task_id)
    await Freezer(database, EVERYBODY).freeze(product.at)
    frozen = sorted(await recipients(database, task_id), key=lambda row: row["id"])
    product.deliveries = [row["id"] for row in frozen]
    product.users = [row["user_id"] for row in frozen]
    return product
