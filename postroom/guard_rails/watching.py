"""One look at one task's rails, in one transaction: the numbers, what they touch, and what is done about it."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.contracts.vocabulary import DeliveryState, TaskState
from postroom.database.engine import Connection
from postroom.guard_rails.rails import Finding, Level, Limits, Numbers, findings
from postroom.guard_rails.service import limits_of
from postroom.reports.counting import Dimension, Line, count
from postroom.reports.engagement import feedback_of
from postroom.reports.report import BAD_ADDRESS
from postroom.webhooks.models import EventType
from postroom.webhooks.task_events import tell_task

# States that say anything about a rail; a million who wait need not be counted every few seconds.
TELLING = (DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.FAILED)
POLICY_REFUSAL = "policy_refusal"  # what a provider's 5.7.x came to
WORDLESS = ("template_", "include_")  # how the reasons begin for which a message could not be put into words

# Whoever looks is alone: others go on to the next task. The row's own lock is no sign of it, for whoever finds out
# whose turn it is takes that too. What was stopped here and sends again was resumed by an operator, who has seen the
# numbers: they are no news any more.
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('rails ' || %(task_id)s::uuid, 0)) AS alone"
TAKE = "SELECT stopped, warned, seen, seen_at, now() AS now FROM task_rails WHERE task_id = %(task_id)s"
# Asked behind the lock: what whoever held it before did to the task is seen.
STATE = "SELECT state FROM campaign_tasks WHERE id = %(task_id)s"
KEEP = """
UPDATE task_rails SET stopped = %(stopped)s, warned = %(warned)s, seen = %(seen)s, seen_at = %(seen_at)s
WHERE task_id = %(task_id)s
"""
# Nobody pauses what somebody else has paused, cancelled or finished meanwhile.
PAUSE = """
UPDATE campaign_tasks SET state = 'paused', reason = %(reason)s, held_until = NULL, held_reason = NULL, owed = true,
    pokes = 0, next_poke_at = now(), updated_at = now()
WHERE id = %(task_id)s AND state = 'sending' AND NOT cancel_requested RETURNING id
"""
NOTE = """
INSERT INTO task_events (task_id, tenant_id, kind, reason, detail)
VALUES (%(task_id)s, %(tenant_id)s, %(kind)s, %(reason)s, %(detail)s)
"""
PAUSED, WARNED = "paused", "guard_rail_warning"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is remembered between two looks."""

    stopped: bool
    warned: list[str]
    seen: Numbers
    seen_at: datetime | None


async def look(connection: Connection, tenant_id: UUID, task_id: UUID) -> list[Finding]:
    """Look at a task that sends; returns what was found and done, nothing when somebody else is looking."""
    asked = {"task_id": task_id}
    lock = await (await connection.execute(ALONE, asked)).fetchone()
    if lock is None or not lock["alone"]:
        return []
    [row] = await (await connection.execute(TAKE, asked)).fetchall()
    standing = Standing(row["stopped"], row["warned"], Numbers.read(row["seen"]), row["seen_at"])
    task = await (await connection.execute(STATE, asked)).fetchone()
    if task is None or task["state"] != TaskState.SENDING:
        return []
    limits = await limits_of(connection, tenant_id)
    lines = await count(connection, task_id, [Dimension.OUTCOME], TELLING)
    feedback = await feedback_of(connection, [task_id], ("bounced", "complained"))
    numbers = tallied(lines, feedback.bounced_permanently, feedback.complained)
    if standing.stopped:
        standing = Standing(stopped=False, warned=[], seen=numbers, seen_at=row["now"])
    standing = replace(standing, seen=numbers.lowered(standing.seen))
    since = _since(row["now"], limits, standing.seen_at)
    fresh = replace(numbers.beyond(standing.seen), refusals=refused_since(lines, since))
    done = await _act(connection, (tenant_id, task_id), standing, list(findings(limits, fresh)))
    stopped = any(one.level is Level.PAUSE for one in done)
    warned = sorted({*standing.warned, *(one.rail for one in done)})
    kept = {
        "task_id": task_id,
        "stopped": stopped,
        "warned": warned,
        "seen": Jsonb(asdict(standing.seen)),
        "seen_at": standing.seen_at,
    }
    await connection.execute(KEEP, kept)
    return done


async def _act(
    connection: Connection, place: tuple[UUID, UUID], standing: Standing, found: list[Finding]
) -> list[Finding]:
    """Pause for the first rail that says so; else warn of each once."""
    tenant_id, task_id = place
    stop = next((one for one in found if one.level is Level.PAUSE), None)
    if stop is not None:
        reason = stop.rail.reason
        if not (await connection.execute(PAUSE, {"task_id": task_id, "reason": reason})).rowcount:
            return []
        await _note(connection, place, PAUSED, stop)
        await tell_task(connection, task_id, EventType.TASK_PAUSED, {"evidence": stop.told()})
        return [stop]
    news = [one for one in found if one.rail not in standing.warned]
    for one in news:
        await _note(connection, (tenant_id, task_id), WARNED, one)
        await tell_task(connection, task_id, EventType.TASK_WARNING, {"evidence": one.told()})
    return news


async def _note(connection: Connection, place: tuple[UUID, UUID], kind: str, one: Finding) -> None:
    tenant_id, task_id = place
    row = {"task_id": task_id, "tenant_id": tenant_id, "kind": kind, "reason": one.rail.reason}
    await connection.execute(NOTE, {**row, "detail": Jsonb(one.told())})


def tallied(lines: list[Line], bounced: int, complained: int) -> Numbers:
    """Add up what the rails ask for."""
    found = dict.fromkeys(("accepted", "rejected", "bad_addresses", "worded", "unworded"), 0)
    for line in lines:
        if line.state in found:
            found[line.state] += line.count
        if (line.state, line.key) == ("rejected", BAD_ADDRESS):
            found["bad_addresses"] += line.count
        if line.state in {"accepted", "rejected"}:
            found["worded"] += line.count
        if line.state == "failed" and (line.key or "").startswith(WORDLESS):
            found["unworded"] += line.count
    return Numbers(**found, bounced=bounced, complained=complained)


def refused_since(lines: list[Line], since: datetime) -> int:
    """How many were refused for policy from the minute of `since` on."""
    from_minute = int(since.timestamp() // 60)
    return sum(
        line.count
        for line in lines
        if (line.state, line.key) == ("rejected", POLICY_REFUSAL) and (line.minute or 0) >= from_minute
    )


def _since(now: datetime, limits: Limits, seen_at: datetime | None) -> datetime:
    """Where the burst's time begins: never before what an operator has seen, the minute of it left out."""
    since = now - timedelta(minutes=limits.policy_refusals.within_minutes)
    return max(since, seen_at + timedelta(minutes=1)) if seen_at else since
