"""Changes recipients of a task that runs or ran: leaves people out, and takes up again what failed."""

from collections import deque
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from postroom.campaigns import task_rows
from postroom.campaigns.models import Task
from postroom.campaigns.pages import touch_pages
from postroom.campaigns.planning.drafting import found_task, locked_task
from postroom.campaigns.service import found_campaign, hold_open_for
from postroom.campaigns.transitions import ALLOWED, ENDED, Action, allows, require
from postroom.contracts.vocabulary import DeliveryState, TaskState
from postroom.database.engine import Connection, Database
from postroom.database.wording import listed
from postroom.errors import Conflict
from postroom.tenants.gate import Identity

Done = TypeVar("Done", "Skipped", "Retried")
Page = Mapping[str, Any]
Asking = Mapping[str, Any]

CHUNK = 5_000  # recipients taken up again in one transaction, about
CHUNK_PAGES = 200  # and the pages it reads
MOST = 20_000  # recipients taken up again by one request, about
CLASSES = frozenset({DeliveryState.REJECTED, DeliveryState.FAILED, DeliveryState.EXPIRED})
NOBODY_KNOWS = "outcome_unknown"
SKIPPED = "skipped_by_operator"
WAITING = frozenset({DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.DEFERRED})
OPEN_HAND_OFFS = frozenset({DeliveryState.HANDING_OFF, DeliveryState.UNKNOWN, DeliveryState.HELD})

FIND = """
SELECT d.id, d.seq, d.state, r.user_id FROM task_recipients r JOIN deliveries d ON d.id = r.delivery_id
WHERE r.tenant_id = current_tenant() AND r.task_id = %(task_id)s AND r.user_id = ANY(%(users)s)
ORDER BY d.id FOR NO KEY UPDATE OF d
"""
# Writing the delivery row is what revokes a claim: the mark and this statement meet on one row lock, one of them wins.
SKIP = f"""
UPDATE deliveries SET state = 'skipped', reason = '{SKIPPED}', token = NULL, ended_at = now()
WHERE id = ANY(%(ids)s) AND state IN {listed(WAITING)}
"""
# A task may have a million recipients that did not fail: only pages that hold some who did are read.
PAGES = """
SELECT first_seq, last_seq, CASE WHEN counted
    THEN (SELECT sum(value::int)::int FROM jsonb_each_text(counts) WHERE key = ANY(%(classes)s))
    ELSE last_seq - first_seq + 1 END AS failed
FROM task_pages WHERE task_id = %(task_id)s AND (NOT counted OR counts ?| %(classes)s) ORDER BY number
"""
# Page by page (OFFSET keeps it so): joined freely, a plan reads the whole task. What ended after this request began
# failed anew, and is not taken up by it a second time.
FAILED = """
WITH chosen AS MATERIALIZED (
    SELECT f.id FROM unnest(%(firsts)s::integer[], %(lasts)s::integer[]) AS p (first_seq, last_seq)
    CROSS JOIN LATERAL (
        SELECT d.id FROM deliveries d
        WHERE d.task_id = %(task_id)s AND d.seq BETWEEN p.first_seq AND p.last_seq AND {failed} OFFSET 0) f
)
SELECT d.id, d.seq FROM deliveries d WHERE d.id IN (SELECT id FROM chosen) AND {failed}
ORDER BY d.id FOR NO KEY UPDATE OF d
"""
ENDED_SO = "d.state = ANY(%(classes)s) AND d.ended_at <= %(before)s"
OF_REASONS = "EXISTS (SELECT FROM unnest(%(reasons)s::text[]) AS asked (prefix) WHERE starts_with(d.reason, prefix))"
KNOWN = f"d.reason IS DISTINCT FROM '{NOBODY_KNOWS}'"
LOCK_FAILED = FAILED.format(failed=f"{ENDED_SO} AND {KNOWN}")
LOCK_FAILED_OF = FAILED.format(failed=f"{ENDED_SO} AND {OF_REASONS} AND ({KNOWN} OR %(doubtful)s)")
# A retry starts a new plan but never a new count: attempts keep their numbers. An outcome nobody knew counts as a
# re-send somebody asked for.
REPEAT = f"""
UPDATE deliveries SET state = 'pending', resends = resends + (reason = '{NOBODY_KNOWS}')::int, reason = NULL,
    token = NULL, not_before = now(), plan_start = attempt, expires_at = now() + %(life)s, hold_until = NULL,
    ended_at = NULL
WHERE id = ANY(%(ids)s)
"""


@dataclass(frozen=True, slots=True)
class Failures:
    """Which recipients are taken up again: of these classes, and with a reason that begins like one of these.

    Those of whom nobody knows whether it arrived are meant only when `outcome_unknown` is named.
    """

    classes: frozenset[DeliveryState] = CLASSES
    reasons: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Retried:
    """How many recipients of a task were taken up again, and whether there are more to ask for."""

    task_id: UUID
    retried: int
    more: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """What became of the wish to leave people out: by person, in the order they were named."""

    task_id: UUID
    outcomes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Corrections:
    """Recipients of one deployment's tasks; deliveries are locked before the pages and the task, as passes do."""

    database: Database

    async def skip(self, who: Identity, task_id: UUID, users: Sequence[str]) -> Skipped:
        """Leave people out of a task: `skipped`, `in_flight`, the final state they are in, or why they are not there.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: it does not send.
        """
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            rows = await (await connection.execute(FIND, {"task_id": task_id, "users": list(users)})).fetchall()
            waiting = [row for row in rows if row["state"] in WAITING]
            await connection.execute(SKIP, {"ids": [row["id"] for row in waiting]})
            await touch_pages(connection, task_id, [row["seq"] for row in waiting])
            task = await locked_task(connection, task_id, Action.SKIP)
            if waiting:
                await _owe(connection, task, {})
                await task_rows.note(connection, task, who, ("recipients_skipped", None, {"recipients": len(waiting)}))
        found = {row["user_id"]: _outcome(DeliveryState(row["state"])) for row in rows}
        return Skipped(task_id, {user: found.get(user, task.absence) for user in dict.fromkeys(users)})

    async def skip_all(self, who: Identity, campaign_id: UUID, users: Sequence[str]) -> Sequence[Skipped]:
        """Leave people out of every task of a campaign that sends; raises NotFound."""
        tasks = await self._tasks(who, campaign_id, Action.SKIP)
        return [one for task in tasks if (one := await _unless_over(self.skip(who, task.id, users)))]

    async def retry(self, who: Identity, task_id: UUID, failures: Failures) -> Retried:
        """Take up again what failed, also of a task that is over: a new plan of attempts, a new time-to-live.

        About 20,000 recipients at once, in transactions of about 5,000 each.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: its state does not allow it, or its campaign is archived.
        """
        asking, pages = await self._failed(who, task_id, failures)
        groups, retried = deque(_groups(pages)), 0
        while groups and retried < MOST:
            group = groups.popleft()
            within = {"firsts": [page["first_seq"] for page in group], "lasts": [page["last_seq"] for page in group]}
            async with self.database.tenant_transaction(who.tenant_id) as connection:
                retried += await _repeat(connection, who, failures, {**asking, **within})
        return Retried(task_id, retried, more=bool(groups))

    async def retry_all(self, who: Identity, campaign_id: UUID, failures: Failures) -> Sequence[Retried]:
        """Do so with every task of a campaign that was sent; raises as `retry`."""
        tasks = await self._tasks(who, campaign_id, Action.RETRY)
        return [one for task in tasks if (one := await _unless_over(self.retry(who, task.id, failures)))]

    async def _failed(self, who: Identity, task_id: UUID, failures: Failures) -> tuple[Asking, Sequence[Page]]:
        """Return what to ask for, and the pages where it may be found."""
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            require(await found_task(connection, task_id), Action.RETRY)
            asking = {
                "task_id": task_id,
                "classes": sorted(failures.classes),
                "reasons": list(failures.reasons),
                "doubtful": NOBODY_KNOWS in failures.reasons,
                "before": await task_rows.moment(connection),
            }
            return asking, await (await connection.execute(PAGES, asking)).fetchall()

    async def _tasks(self, who: Identity, campaign_id: UUID, action: Action) -> Sequence[Task]:
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            await found_campaign(connection, campaign_id)
            tasks = await task_rows.tasks_of(connection, campaign_id, ALLOWED[action])
        return [task for task in tasks if allows(task, action)]


async def _unless_over(work: Awaitable[Done]) -> Done | None:
    """Return what was done; None for a task that somebody else has brought into another state meanwhile."""
    try:
        return await work
    except Conflict:
        return None


def _groups(pages: Sequence[Page]) -> Iterator[Sequence[Page]]:
    """Part pages so that the failures of each part are few enough for a transaction."""
    group, failed = list[Page](), 0
    for page in pages:
        group.append(page)
        failed += page["failed"]
        if failed >= CHUNK or len(group) == CHUNK_PAGES:
            yield group
            group, failed = [], 0
    if group:
        yield group


async def _repeat(connection: Connection, who: Identity, failures: Failures, asking: Asking) -> int:
    task_id: UUID = asking["task_id"]
    await hold_open_for(connection, task_id)
    life = (await found_task(connection, task_id)).time_to_live
    statement = LOCK_FAILED_OF if failures.reasons else LOCK_FAILED
    rows = await (await connection.execute(statement, asking)).fetchall()
    await connection.execute(REPEAT, {"ids": [row["id"] for row in rows], "life": life})
    await touch_pages(connection, task_id, [row["seq"] for row in rows])
    task = await locked_task(connection, task_id, Action.RETRY)
    if rows:
        again = {"state": TaskState.SENDING, "reason": None, "ended_at": None, "totals": None}
        await _owe(connection, task, {**(again if task.state in ENDED else {}), "epoch": task.epoch + 1})
        detail = {"recipients": len(rows), "classes": asking["classes"], "reasons": asking["reasons"]}
        await task_rows.note(connection, task, who, ("retried", None, detail))
    return len(rows)


async def _owe(connection: Connection, task: Task, values: Mapping[str, Any]) -> None:
    now = await task_rows.moment(connection)
    await task_rows.change(connection, task.id, {**values, "owed": True, "next_poke_at": now})


def _outcome(state: DeliveryState) -> str:
    if state in WAITING:
        return DeliveryState.SKIPPED
    return "in_flight" if state in OPEN_HAND_OFFS else state
