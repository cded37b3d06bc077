"""What becomes of a hand-off nobody answered: evidence where the provider can be asked, the class's policy otherwise.

Transitions 10 and 11. Asking happens outside any transaction; the answer is applied only to the attempt it was about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from postroom.channels.base import Answer, Evidence
from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES, ChannelKind, DeliveryState, MessageClass
from postroom.database.engine import Connection
from postroom.database.wording import listed
from postroom.deliveries.ledger import Claim
from postroom.deliveries.locking import lock_named
from postroom.timing import Timing

LOSE_TRACK = """
WITH lost AS (
    UPDATE deliveries SET state = 'unknown', reason = %(reason)s, not_before = clock_timestamp() + %(pause)s
    WHERE id = %(id)s AND state = 'handing_off' AND token = %(token)s
    RETURNING id, tenant_id, notification_id, attempt, provider
), noted AS (
    INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, worker, phase, code, detail)
    SELECT id, tenant_id, attempt, 'unknown', provider, %(worker)s, %(phase)s, %(code)s, %(detail)s FROM lost
)
UPDATE notifications SET ambiguous = true WHERE id IN (SELECT notification_id FROM lost)
"""

OWNER = "SELECT notification_id FROM deliveries WHERE id = %(id)s"

# 14: a marked message whose owner let the lease pass may have been sent; only evidence or policy can say more. Rows are
# locked in the order of ids, as every group of marks and answers does.
LOSE_LAPSED = """
WITH lapsed AS MATERIALIZED (
    SELECT d.id FROM deliveries d WHERE {which} AND d.state = 'handing_off' AND d.lease_until < now()
    ORDER BY d.id FOR NO KEY UPDATE
), lost AS (
    UPDATE deliveries d SET state = 'unknown', reason = 'no_answer', not_before = now()
    FROM lapsed l WHERE d.id = l.id
    RETURNING d.id, d.tenant_id, d.notification_id, d.attempt, d.provider
), noted AS (
    INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, phase, detail)
    SELECT id, tenant_id, attempt, 'unknown', provider, 'answer', 'the sender vanished after the mark' FROM lost
)
UPDATE notifications SET ambiguous = true WHERE id IN (SELECT notification_id FROM lost)
"""

# A pass begins with no hand-off of its own: what it finds open was left by an attempt that died or stands still. That
# the provider has it may be learned at once; anything else has to wait for the lease. When attempts at two providers
# were never answered, no single one of them can say that nobody has it.
DOUBTFUL = """
SELECT d.id, d.notification_id, d.tenant_id, d.attempt, d.state, now() - d.marked_at AS silent_for,
       CASE WHEN NOT EXISTS (
           SELECT FROM delivery_attempts a
           WHERE a.delivery_id = d.id AND a.event = 'unknown' AND a.provider <> d.provider
       ) THEN d.provider END AS provider
FROM {which}
    AND (d.state = 'handing_off' OR (d.state IN ('unknown', 'held') AND d.not_before <= now()))
ORDER BY d.id LIMIT %(limit)s
"""
DOUBTFUL_CARRIED = DOUBTFUL.format(
    which="deliveries d JOIN notifications n ON n.id = d.notification_id "
    "WHERE n.carrier_id = %(carrier_id)s AND n.state = 'open' AND d.channel = %(channel)s"
)

# Read under the lock; rows that moved on since the question are not in it.
STANDING = """
SELECT d.id, d.notification_id, d.state, d.resends, coalesce(n.class, t.class) AS class,
       coalesce(n.cancel_requested, t.cancel_requested) AS cancel_requested,
       least(n.expires_at, d.expires_at) <= now() AS over, d.hold_until <= now() AS held_out,
       greatest(d.marked_at + %(window)s - now(), interval '0') AS window_left,
       asked.silent_for < %(window)s AS asked_early
FROM deliveries d LEFT JOIN notifications n ON n.id = d.notification_id
LEFT JOIN campaign_tasks t ON t.id = d.task_id
JOIN unnest(%(ids)s::uuid[], %(attempts)s::int[], %(silences)s::interval[]) AS asked (id, attempt, silent_for)
    ON asked.id = d.id
WHERE d.state IN ('handing_off', 'unknown', 'held') AND d.attempt = asked.attempt
"""

APPLY = f"""
WITH steps AS (
    SELECT * FROM unnest(%(ids)b::uuid[], %(states)b::text[], %(reasons)b::text[], %(resends)b::int[],
                         %(pauses)b::interval[], %(found)b::text[])
        AS step (id, state, reason, resends, pause, found)
), applied AS (
    UPDATE deliveries d SET state = s.state, reason = s.reason, token = NULL, resends = d.resends + s.resends,
        not_before = now() + s.pause,
        hold_until = CASE WHEN s.state = 'held' THEN coalesce(d.hold_until, now() + %(hold)s) ELSE d.hold_until END,
        ended_at = CASE WHEN s.state IN {listed(FINAL_DELIVERY_STATES)} THEN now() END
    FROM steps s WHERE d.id = s.id
    RETURNING d.id, d.tenant_id, d.attempt, d.provider, s.found, s.state
)
INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, worker, detail)
SELECT id, tenant_id, attempt, 'evidence', provider, %(worker)s, found || ', now ' || state FROM applied
"""

CLEAR = "UPDATE notifications SET ambiguous = false WHERE id = ANY(%(ids)s) AND state = 'open'"

SENDS_AGAIN = frozenset({MessageClass.SECURITY, MessageClass.TRANSACTIONAL})
ASKS_WHILE_HELD = 24
IN_DOUBT = frozenset({DeliveryState.UNKNOWN, DeliveryState.HELD})


@dataclass(frozen=True, slots=True)
class Doubt:
    """One message whose outcome is unknown, the attempt that left it so, and how long ago that was marked.

    Absence means something only when it was asked for after the old connection was certainly dead: an answer that was
    asked for earlier stays worthless however late it is applied.
    """

    id: UUID
    notification_id: UUID | None
    tenant_id: UUID
    attempt: int
    provider: str | None
    state: str
    silent_for: timedelta


async def doubts(connection: Connection, carrier_id: UUID, channel: ChannelKind, limit: int) -> list[Doubt]:
    """The members of a carrier whose outcome is to be asked about now."""
    parameters = {"carrier_id": carrier_id, "channel": channel, "limit": limit}
    return [Doubt(**row) async for row in await connection.execute(DOUBTFUL_CARRIED, parameters)]


@dataclass(frozen=True, slots=True)
class Step:
    """What a doubtful message becomes; `pause` is the wait until the next question or attempt."""

    state: DeliveryState
    reason: str
    pause: timedelta = timedelta(0)
    resend: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """Applies what was learned about doubtful hand-offs."""

    timing: Timing
    worker: str

    async def lose_track(self, connection: Connection, claim: Claim, answer: Answer) -> None:
        """Record that a hand-off was never answered (transition 10), locks in order."""
        found = await connection.execute(OWNER, {"id": claim.delivery_id})
        await lock_named(connection, [row["notification_id"] async for row in found if row["notification_id"]])
        await connection.execute(
            LOSE_TRACK,
            {
                "id": claim.delivery_id,
                "token": claim.token,
                "reason": answer.reason,
                "pause": self.timing.evidence_pause,
                "phase": str(answer.phase),
                "code": answer.code,
                "detail": answer.detail,
                "worker": self.worker,
            },
        )

    async def apply(self, connection: Connection, asked: Sequence[Doubt], answers: Mapping[UUID, Evidence]) -> None:
        """Apply each answer to the attempt it was asked about; rows that moved on meanwhile are left alone."""
        await lock_named(
            connection,
            [doubt.notification_id for doubt in asked if doubt.notification_id],
            [doubt.id for doubt in asked if not doubt.notification_id],
        )
        parameters = {
            "ids": [doubt.id for doubt in asked],
            "attempts": [doubt.attempt for doubt in asked],
            "silences": [doubt.silent_for for doubt in asked],
            "window": self.timing.absence_window,
        }
        standing = await (await connection.execute(STANDING, parameters)).fetchall()
        steps = []
        for row in standing:
            evidence = answers.get(row["id"], Evidence.SILENT)
            step = decide(row, evidence, self.timing)
            if step is not None:
                steps.append((row, evidence, step))
        if steps:
            await self._take(connection, steps)

    async def _take(self, connection: Connection, steps: Sequence[tuple[Mapping[str, Any], Evidence, Step]]) -> None:
        """Write what was decided, a page of it in two statements."""
        await connection.execute(
            APPLY,
            {
                "ids": [row["id"] for row, _, _ in steps],
                "states": [str(step.state) for *_, step in steps],
                "reasons": [step.reason for *_, step in steps],
                "resends": [int(step.resend) for *_, step in steps],
                "pauses": [step.pause for *_, step in steps],
                "found": [str(evidence) for _, evidence, _ in steps],
                "hold": self.timing.hold,
                "worker": self.worker,
            },
        )
        clear = [
            row["notification_id"]
            for row, evidence, step in steps
            if row["notification_id"] and evidence is Evidence.ABSENT and step.state not in IN_DOUBT
        ]
        await connection.execute(CLEAR, {"ids": clear})


SENT_AGAIN = Step(DeliveryState.PENDING, "sent_again")
UNWANTED_NOW = Step(DeliveryState.FAILED, "outcome_unknown")


def decide(row: Mapping[str, Any], evidence: Evidence, timing: Timing) -> Step | None:
    """Say what becomes of one doubtful message: a table, read from the top; None while its sender may still answer.

    `row` has state, resends, class, cancel_requested, over (past its time-to-live), held_out (its hold has ended),
    window_left (how long the old connection may still be alive) and asked_early (the question was put while it might
    have been). Absence, and a re-send without evidence, count only once that window has closed; where a second copy is
    known for what it is, nothing has to be waited for.
    """
    state = DeliveryState(row["state"])
    unwanted = row["cancel_requested"] or row["over"]
    if evidence is Evidence.FOUND:
        return Step(DeliveryState.ACCEPTED, "evidence_found")
    if state is DeliveryState.HANDING_OFF:
        return None
    if evidence is Evidence.REPEATABLE:
        return UNWANTED_NOW if unwanted else SENT_AGAIN
    if row["window_left"] or (evidence is Evidence.ABSENT and row["asked_early"]):
        return Step(state, "no_answer", pause=row["window_left"])
    if evidence is Evidence.ABSENT:
        return _never_sent(row)
    if state is DeliveryState.UNKNOWN and row["class"] in SENDS_AGAIN and not row["resends"] and not unwanted:
        return Step(DeliveryState.PENDING, "sent_again_by_policy", resend=True)
    if row["held_out"]:
        return Step(DeliveryState.FAILED, "outcome_unknown")
    return Step(DeliveryState.HELD, "no_answer", pause=timing.hold / ASKS_WHILE_HELD)


def _never_sent(row: Mapping[str, Any]) -> Step:
    if row["cancel_requested"]:
        return Step(DeliveryState.CANCELLED, "cancelled")
    return Step(DeliveryState.EXPIRED, "expired") if row["over"] else Step(DeliveryState.PENDING, "found_absent")
