"""Takes reports in: writes down what is new, believes what it proves, and suppresses what asks for it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.errors import DataError, DeadlockDetected, IntegrityError, SerializationFailure

from postroom.database.engine import Connection, Database
from postroom.database.grouping import GroupCommit
from postroom.feedback.consequences import DISABLED, DISABLED_BOUNCES, SOFT_BOUNCES, Consequence, consequence
from postroom.feedback.evidence import learn_accepted
from postroom.feedback.report import Kind, Report
from postroom.identity import new_id
from postroom.suppressions import repository as suppressions
from postroom.suppressions.entry import EVERYTHING, Reason, Source
from postroom.timing import Timing

log = logging.getLogger(__name__)

Row = dict[str, Any]
Call = tuple[Sequence[Report], UUID]  # what one call says, and the tenant it speaks for

CALLS = 200  # of one transaction: most providers call for each event by itself
MANY = 50  # a call that says more takes a turn of its own, so that the others do not wait for it
MOST = 50  # things that are kept of one message; whoever has its return path can go on inventing statuses

# Of what was never handed off nobody can tell anything.
ABOUT = """
SELECT id, tenant_id, notification_id, task_id, address, address_hash FROM deliveries
WHERE id = ANY(%(ids)s) AND channel = 'email' AND attempt > 0
"""
# Providers tell the same thing more than once, and in any order: what is there stays.
WRITE = """
WITH said AS (
    SELECT * FROM unnest(%(tenants)s::uuid[], %(ids)s::uuid[], %(tasks)s::uuid[], %(notifications)s::uuid[],
                         %(kinds)s::text[], %(finals)s::bool[], %(codes)s::text[], %(sources)s::text[],
                         %(details)s::text[], %(hashes)b::bytea[])
        WITH ORDINALITY AS said (tenant_id, delivery_id, task_id, notification_id, kind, permanent, enhanced, source,
                                 detail, address_hash, place)
), once AS (
    SELECT DISTINCT ON (delivery_id, kind, source, coalesce(enhanced, '')) * FROM said
    ORDER BY delivery_id, kind, source, coalesce(enhanced, ''), place
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY delivery_id ORDER BY place) AS number FROM once
), written AS (
    INSERT INTO delivery_feedback (tenant_id, delivery_id, task_id, kind, permanent, enhanced, source, detail,
                                   address_hash)
    SELECT tenant_id, delivery_id, task_id, kind, permanent, enhanced, source, detail, address_hash
    FROM numbered n
    WHERE number + (SELECT count(*) FROM delivery_feedback f WHERE f.delivery_id = n.delivery_id) <= %(most)s
    ORDER BY delivery_id, kind, source, enhanced  -- two that say the same must not wait for each other
    ON CONFLICT (delivery_id, kind, source, coalesce(enhanced, '')) DO NOTHING
    RETURNING tenant_id, delivery_id, kind, permanent, enhanced, address_hash, source
), told AS (
    INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
    SELECT DISTINCT s.notification_id, s.tenant_id, 'feedback', w.kind,
           jsonb_strip_nulls(jsonb_build_object('channel', 'email', 'enhanced', w.enhanced, 'permanent', w.permanent))
    FROM written w JOIN said s USING (delivery_id, kind)
    WHERE s.notification_id IS NOT NULL
)
SELECT * FROM written
"""
# What was said about us (policy, content) says nothing about the mailbox.
SOFT = """
SELECT tenant_id, address_hash, count(DISTINCT delivery_id) AS bounces,
       count(DISTINCT delivery_id) FILTER (WHERE enhanced = %(disabled)s) AS disabled
FROM delivery_feedback
WHERE kind = 'bounced' AND tenant_id = ANY(%(tenants)s) AND address_hash = ANY(%(hashes)b)
    AND at > now() - %(window)s AND (enhanced IS NULL OR enhanced !~ '^[245][.][67][.]')
GROUP BY tenant_id, address_hash
"""


class Intake:
    """Takes reports from mail and from providers; calls that come together share a transaction.

    However many call, two connections are theirs, and everybody else's requests find one.
    """

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._timing = timing
        self._few = GroupCommit(self._take_group, CALLS)
        self._many = GroupCommit(self._take_group, 1)

    async def take(self, reports: Sequence[Report], tenant_id: UUID) -> int:
        """Write reports down; returns how many were about messages they may be about.

        A token of ours proves its message, whosever it is; everything else is believed for the tenant's own alone.
        """
        if not reports:
            return 0
        outcome = await (self._many if len(reports) > MANY else self._few).ask((reports, tenant_id))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _take_group(self, calls: Sequence[Call]) -> list[int | Exception]:
        """Write calls down together; when that fails for what one of them holds, each by itself."""
        try:
            return [*await self._commit(calls)]
        except (DeadlockDetected, SerializationFailure, DataError, IntegrityError) as error:
            if len(calls) == 1:
                return [error]
            log.warning("%d calls are taken one by one: %s", len(calls), type(error).__name__)
            return [outcome for call in calls for outcome in await self._take_group([call])]

    async def _commit(self, calls: Sequence[Call]) -> list[int]:
        async with self._database.system_transaction() as connection:
            ids = sorted({report.delivery_id for reports, _ in calls for report in reports})
            found = {row["id"]: row async for row in await connection.execute(ABOUT, {"ids": ids})}
            known = [
                [
                    (report, row)
                    for report in reports
                    if (row := found.get(report.delivery_id)) and _may_speak(report, row, tenant_id)
                ]
                for reports, tenant_id in calls
            ]
            if together := [one for call in known for one in call]:
                await learn_accepted(connection, sorted({report.delivery_id for report, _ in together}), self._timing)
                await self._suppress(connection, await _write(connection, together))
        return [len(call) for call in known]

    async def _suppress(self, connection: Connection, fresh: Sequence[Row]) -> None:
        """Suppress the addresses for which something new asks for it, each tenant's in one statement."""
        entries: list[tuple[UUID, bytes, str, Reason]] = []
        counted: set[tuple[UUID, bytes]] = set()
        for row in fresh:
            place = (row["tenant_id"], row["address_hash"])
            match _asked(row):
                case Consequence.COUNT:
                    counted.add(place)
                case (scope, reason):
                    entries.append((*place, scope, reason))
        entries += await self._worn_out(connection, counted)
        for tenant_id in sorted({entry[0] for entry in entries}):
            mine = [entry for entry in entries if entry[0] == tenant_id]
            await suppressions.add(connection, _columns(tenant_id, mine))

    async def _worn_out(
        self, connection: Connection, counted: set[tuple[UUID, bytes]]
    ) -> list[tuple[UUID, bytes, str, Reason]]:
        """Find those of these addresses that have bounced too often."""
        if not counted:
            return []
        asked = {
            "tenants": [tenant_id for tenant_id, _ in counted],
            "hashes": [one for _, one in counted],
            "window": self._timing.soft_window,
            "disabled": DISABLED,
        }
        return [
            (row["tenant_id"], row["address_hash"], EVERYTHING, Reason.BOUNCED)
            async for row in await connection.execute(SOFT, asked)
            if (row["tenant_id"], row["address_hash"]) in counted
            and (row["bounces"] >= SOFT_BOUNCES or row["disabled"] >= DISABLED_BOUNCES)
        ]


def _may_speak(report: Report, row: Row, tenant_id: UUID) -> bool:
    if report.proven:
        return True
    mine = row["tenant_id"] == tenant_id
    address = row["address"] or ""
    return mine and (report.recipient is None or report.recipient.casefold() == address.casefold())


async def _write(connection: Connection, known: Sequence[tuple[Report, Row]]) -> list[Row]:
    columns: Mapping[str, Any] = {
        "tenants": [row["tenant_id"] for _, row in known],
        "ids": [report.delivery_id for report, _ in known],
        "tasks": [row["task_id"] for _, row in known],
        "notifications": [row["notification_id"] for _, row in known],
        "kinds": [str(report.kind) for report, _ in known],
        "finals": [report.permanent for report, _ in known],
        "codes": [report.enhanced for report, _ in known],
        "sources": [report.source for report, _ in known],
        "details": [report.detail for report, _ in known],
        "hashes": [row["address_hash"] for _, row in known],
        "most": MOST,
    }
    return await (await connection.execute(WRITE, columns)).fetchall()


def _asked(row: Row) -> tuple[str, Reason] | Consequence:
    """Say what one new thing asks for: a scope to suppress, or a consequence that suppresses nothing by itself."""
    if row["address_hash"] is None:  # erased
        return Consequence.NOTHING
    match row["kind"]:
        case Kind.COMPLAINED:
            return "marketing", Reason.COMPLAINED
        case Kind.UNSUBSCRIBED:
            return "marketing", Reason.UNSUBSCRIBED
        case Kind.BOUNCED:
            what = consequence(row["enhanced"], permanent=bool(row["permanent"]))
            return (EVERYTHING, Reason.BOUNCED) if what is Consequence.SUPPRESS else what
    return Consequence.NOTHING


def _columns(tenant_id: UUID, entries: Sequence[tuple[UUID, bytes, str, Reason]]) -> Row:
    return {
        "tenant_id": tenant_id,
        "source": str(Source.FEEDBACK),
        "ids": [new_id() for _ in entries],
        "channels": ["email" for _ in entries],
        "hashes": [one for _, one, _, _ in entries],
        "scopes": [scope for _, _, scope, _ in entries],
        "reasons": [str(reason) for *_, reason in entries],
        "notes": [None for _ in entries],
    }
