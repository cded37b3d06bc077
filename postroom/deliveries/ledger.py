"""Mark and record: the two statements around a hand-off, grouped over all connections of a process.

They touch the delivery row alone, whatever its tenant, as the database role that may do nothing else.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.channels.base import DETAIL_LIMIT, Answer, Verdict
from postroom.channels.email.answers import NO_MAILBOX
from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES, ChannelKind, DeliveryState
from postroom.database.arrays import Integers, Octets, Spans, Texts, Uuids
from postroom.database.engine import Connection, Database, Role
from postroom.database.grouping import GroupCommit
from postroom.database.wording import listed
from postroom.errors import Unavailable
from postroom.identity import SENDER_SERVICE
from postroom.suppressions.entry import EVERYTHING, Reason, Source
from postroom.timing import Timing

log = logging.getLogger(__name__)

GROUP_LIMIT = 100
# Over 16 connections groups of 8 become such of 12, over 64 such of 28 become such of 56. The rows of a group share
# what a statement costs on either side, a third of a millisecond of ours alone.
TURNS = 16
RECORD_PAUSE_SECONDS = 0.5
MILLISECOND = timedelta(milliseconds=1)

# Arrays travel binary (`%b`): as text, escaping sixteen letters costs a millisecond on either side.
# Rows are locked in id order first: two groups, or a group and a settling page, never wait for each other in a ring.
# What somebody stopped by hand, a task or a sender service, is heard here and not when it is next read about. A service
# is called by its public id.
MARK = f"""
WITH asked AS (
    SELECT * FROM unnest(%(ids)b::uuid[], %(tokens)b::uuid[], %(providers)b::text[], %(messages)b::bytea[])
        AS asked (id, token, provider, message)
), locked AS MATERIALIZED (
    SELECT d.id FROM deliveries d JOIN asked USING (id) ORDER BY d.id FOR NO KEY UPDATE OF d
), marked AS (
    UPDATE deliveries d
    SET state = 'handing_off', attempt = d.attempt + 1, marked_at = clock_timestamp(),
        lease_until = clock_timestamp() + (%(leases)b::interval[])[array_position(%(channels)b::text[], d.channel)],
        provider = asked.provider, reason = NULL
    FROM asked JOIN locked USING (id)
    WHERE d.id = asked.id AND d.state = 'claimed' AND d.token = asked.token AND d.lease_until > clock_timestamp()
        AND d.not_before <= clock_timestamp() AND d.expires_at > clock_timestamp()
        AND NOT EXISTS (SELECT FROM suppressions s WHERE s.tenant_id = d.tenant_id AND s.channel = d.channel
                                                     AND s.address_hash = d.address_hash
                                                     AND s.scope = ANY(coalesce(d.scopes, '{{all}}')))
        AND (d.task_id IS NULL OR EXISTS (SELECT FROM campaign_tasks t WHERE t.id = d.task_id AND t.state = 'sending'))
        AND NOT EXISTS (
            SELECT FROM sender_services s
            WHERE s.id = CASE WHEN asked.provider ~ '^{SENDER_SERVICE}_[0-9a-f]{{32}}$'
                              THEN right(asked.provider, 32)::uuid END AND s.frozen_by = 'operator')
    RETURNING d.id, d.tenant_id, d.attempt, asked.provider, asked.message
), kept AS (
    INSERT INTO delivery_messages (delivery_id, tenant_id, message)
    SELECT id, tenant_id, message FROM marked WHERE message IS NOT NULL
    ON CONFLICT (delivery_id) DO NOTHING
), noted AS (
    INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, worker)
    SELECT id, tenant_id, attempt, 'marked', provider, %(worker)s FROM marked
)
SELECT id FROM marked
"""

# `accepted` is absorbing, so it asks for no token. Every other answer counts only for the owner of the claim. A
# definite refusal before the mark (at MAIL, RCPT or DATA) comes from `claimed` and counts as an attempt of its own. A
# busy destination gives the claim back with a time, and spends nothing of the message's plan. A mailbox that is not
# there is suppressed with the refusal itself: no crash comes in between.
RECORD = f"""
WITH answers AS (
    SELECT * FROM unnest(%(ids)b::uuid[], %(tokens)b::uuid[], %(verdicts)b::text[], %(reasons)b::text[],
                         %(providers)b::text[], %(phases)b::text[], %(codes)b::int[], %(enhanced)b::text[],
                         %(details)b::text[], %(waits)b::interval[], %(latencies)b::int[])
        AS answers (id, token, verdict, reason, provider, phase, code, enhanced, detail, wait, latency)
), locked AS MATERIALIZED (
    SELECT d.id, d.state AS old_state FROM deliveries d JOIN answers USING (id) ORDER BY d.id FOR NO KEY UPDATE OF d
), planned AS (
    SELECT a.*, d.attempt + (d.state = 'claimed')::int AS attempt,
           a.verdict = 'deferred' AND d.attempt + (d.state = 'claimed')::int - d.plan_start
               > cardinality(%(plan)b::interval[]) AS exhausted,
           greatest(a.wait, (%(plan)b::interval[])[d.attempt + (d.state = 'claimed')::int - d.plan_start]) AS pause
    FROM answers a JOIN locked USING (id) JOIN deliveries d USING (id)
), recorded AS (
    UPDATE deliveries d
    SET state = CASE WHEN p.exhausted THEN 'rejected' WHEN p.verdict IN ('withdrawn', 'busy') THEN 'pending'
                     ELSE p.verdict END,
        reason = CASE WHEN p.exhausted THEN 'retries_exhausted' WHEN p.verdict = 'withdrawn' THEN d.reason
                      ELSE p.reason END,
        attempt = CASE WHEN p.verdict IN ('deferred', 'rejected') AND d.state = 'claimed'
                       THEN d.attempt + 1 ELSE d.attempt END,
        provider = coalesce(p.provider, d.provider),
        token = NULL,
        not_before = CASE WHEN p.verdict = 'deferred' AND NOT p.exhausted THEN clock_timestamp() + p.pause
                          WHEN p.verdict = 'busy' THEN clock_timestamp() + coalesce(p.wait, interval '1 s')
                          ELSE d.not_before END,
        late = d.state IN {listed(FINAL_DELIVERY_STATES - {DeliveryState.ACCEPTED})},
        ended_at = CASE WHEN p.exhausted OR p.verdict IN ('accepted', 'rejected') THEN clock_timestamp() END
    FROM planned p
    WHERE d.id = p.id AND CASE
        WHEN p.verdict = 'accepted' THEN d.state <> 'accepted'
        ELSE d.state IN ('claimed', 'handing_off') AND d.token = p.token END
    RETURNING d.id, d.tenant_id, d.attempt, p.verdict, p.exhausted, d.reason, d.provider, p.phase, p.code, p.enhanced,
              p.detail, p.latency, d.channel, d.address_hash
), unknown AS (
    INSERT INTO suppressions (tenant_id, channel, address_hash, scope, reason, source)
    SELECT DISTINCT tenant_id, channel, address_hash, '{EVERYTHING}', '{Reason.BOUNCED}', '{Source.FEEDBACK}'
    FROM recorded WHERE verdict = 'rejected' AND reason = '{NO_MAILBOX}' AND address_hash IS NOT NULL
    ORDER BY tenant_id, channel, address_hash
    ON CONFLICT (tenant_id, channel, address_hash, scope) DO NOTHING
), noted AS (
    INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, worker, phase, code, enhanced,
                                   detail, latency_ms)
    SELECT id, tenant_id, attempt, CASE WHEN exhausted THEN 'rejected' ELSE verdict END, provider, %(worker)s, phase,
           code, enhanced, concat_ws(': ', reason, detail), latency
    FROM recorded WHERE verdict NOT IN ('withdrawn', 'busy')
)
SELECT id FROM recorded
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to hand off one delivery: valid while the row holds this token and its lease lasts."""

    delivery_id: UUID
    token: UUID


@dataclass(frozen=True, slots=True)
class MarkRequest:
    """One line of a group of marks."""

    claim: Claim
    message: bytes | None
    provider: str


class Ledger:
    """Writes marks and answers for every connection of one process."""

    def __init__(self, database: Database, timing: Timing, worker: str) -> None:
        self._database = database
        self._timing = timing
        self.worker = worker
        self._marks = GroupCommit(self._mark_group, GROUP_LIMIT, TURNS)
        self._records = GroupCommit(self._record_group, GROUP_LIMIT, TURNS)
        self._heard = 0
        self._unwritten: dict[int, asyncio.Future[None]] = {}

    async def mark(self, claim: Claim, message: bytes | None, provider: str) -> bool:
        """Write ahead that this message is about to be sent; False means it must not be.

        A mark whose outcome cannot be learned is a refusal too: the body is not sent, and `record` with the verdict
        `withdrawn` takes the row back. No body goes before the answers heard until now are in the record, so that a
        connection never has more than one message a crash could leave in doubt; they are written beside the mark.
        """
        await asyncio.sleep(0)  # whoever was just told an answer hands it to `record` first
        heard = self._heard
        try:
            marked = await self._marks.ask(MarkRequest(claim, message, provider))
        except (DatabaseError, Unavailable):
            log.warning("mark not written, the message stays here", exc_info=True)
            return False
        if marked:
            await self._written(heard)
        return marked

    async def _written(self, heard: int) -> None:
        """Wait until the answers up to this one are in the record."""
        while self._unwritten and (first := next(iter(self._unwritten))) <= heard:
            await asyncio.shield(self._unwritten[first])

    async def record(self, claim: Claim, answer: Answer) -> bool:
        """Write what the provider said; True when the row took it.

        Waits for the database as long as it takes: an answer that was heard must not be lost while the process lives.
        """
        self._heard += 1
        number = self._heard
        written = self._unwritten[number] = asyncio.get_running_loop().create_future()
        try:
            return await self._record(claim, answer)
        finally:
            del self._unwritten[number]
            written.set_result(None)

    async def _record(self, claim: Claim, answer: Answer) -> bool:
        while True:
            try:
                return await self._records.ask((claim, answer))
            except (DatabaseError, Unavailable) as error:
                log.warning("answer not recorded yet, trying again: %s", type(error).__name__)
                await asyncio.sleep(RECORD_PAUSE_SECONDS)

    async def _mark_group(self, group: Sequence[MarkRequest]) -> list[bool]:
        async with self._database.statement(Role.LEDGER) as connection:
            marked = await mark_all(connection, group, self._timing, self.worker)
        return [request.claim.delivery_id in marked for request in group]

    async def _record_group(self, group: Sequence[tuple[Claim, Answer]]) -> list[bool]:
        async with self._database.statement(Role.LEDGER) as connection:
            recorded = await record_all(connection, group, self._timing, self.worker)
        return [claim.delivery_id in recorded for claim, _ in group]


async def mark_all(
    connection: Connection, group: Sequence[MarkRequest], timing: Timing, worker: str
) -> frozenset[UUID]:
    """Mark what may be sent and return the ids that were marked (transition 6)."""
    rows = await connection.execute(
        MARK,
        {
            "ids": Uuids(request.claim.delivery_id for request in group),
            "tokens": Uuids(request.claim.token for request in group),
            "providers": Texts(request.provider for request in group),
            "messages": Octets(request.message for request in group),
            "channels": Texts(ChannelKind),
            "leases": Spans(timing.hand_off_lease(channel) for channel in ChannelKind),
            "worker": worker,
        },
        binary=True,
    )
    return frozenset([row["id"] async for row in rows])


async def record_all(
    connection: Connection, group: Sequence[tuple[Claim, Answer]], timing: Timing, worker: str
) -> frozenset[UUID]:
    """Record answers and return the ids whose row took theirs (transitions 7, 8 and 9)."""
    answers = [answer for _, answer in group]
    rows = await connection.execute(
        RECORD,
        {
            "ids": Uuids(claim.delivery_id for claim, _ in group),
            "tokens": Uuids(claim.token for claim, _ in group),
            "verdicts": Texts(_settled_verdict(answer) for answer in answers),
            "reasons": Texts(answer.reason for answer in answers),
            "providers": Texts(answer.provider for answer in answers),
            "phases": Texts(str(answer.phase) for answer in answers),
            "codes": Integers(answer.code for answer in answers),
            "enhanced": Texts(answer.enhanced for answer in answers),
            "details": Texts(answer.detail and answer.detail[:DETAIL_LIMIT] for answer in answers),
            "waits": Spans(answer.retry_after for answer in answers),
            "latencies": Integers(_milliseconds(answer.latency) for answer in answers),
            "plan": Spans(timing.retry_plan),
            "worker": worker,
        },
    )
    return frozenset([row["id"] async for row in rows])


def _settled_verdict(answer: Answer) -> str:
    """A provider that could not be reached says nothing about the message: the claim is given back."""
    if answer.verdict is Verdict.UNAVAILABLE:
        return str(Verdict.WITHDRAWN)
    return str(answer.verdict)


def _milliseconds(latency: timedelta | None) -> int | None:
    return None if latency is None else round(latency / MILLISECOND)
