"""Freezes the audience of a task: who, in which order, with which content, and not before when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

from postroom.audiences.rules import Selection, compile_rule
from postroom.campaigns.sending.ending import fail
from postroom.contacts.turns import take_turn
from postroom.contracts.campaigns import LookAtTask
from postroom.database.engine import Connection, Database
from postroom.errors import Invalid
from postroom.policy.zones import UTC_NAME, find_zone
from postroom.templates.library import contents

PAGES_AT_ONCE = 50  # in one transaction
DRIFT = 0.05  # an audience that was approved may differ by so much, or by a few
FEW = 10

READ = """
SELECT id, tenant_id, channel, rule, content, plan, pinned, time_to_live, approved_audience, frozen_to,
       greatest(start_at, now()) AS at,
       (SELECT coalesce(max(last_seq), 0) FROM task_pages WHERE task_id = t.id) AS frozen,
       (SELECT coalesce(max(number), 0) FROM task_pages WHERE task_id = t.id) AS pages
FROM campaign_tasks t
WHERE id = %(task_id)s AND state IN ('scheduled', 'sending') AND frozen_at IS NULL AND NOT cancel_requested
"""
ZONES = "SELECT DISTINCT k.time_zone FROM contacts k WHERE {sql} AND k.time_zone IS NOT NULL"
COUNT = "SELECT count(*) AS count FROM contacts k WHERE {sql}"

# People by name, a chunk at a time; in a chunk those who share a time stand together, so that their pages do. A content
# by weight is the same for a person however often it is drawn.
CHUNK = """
WITH chosen AS MATERIALIZED (
    SELECT k.user_id, k.time_zone, lower(split_part(k.addresses ->> 'email', '@', 2)) AS domain
    FROM contacts k WHERE {sql} AND k.user_id > %(after)s ORDER BY k.user_id LIMIT %(chunk)s
), timed AS (
    SELECT c.user_id, c.domain, greatest(coalesce(z.at, f.at), %(at)s) AS at
    FROM chosen c
    LEFT JOIN unnest(%(zones)s::text[], %(instants)s::timestamptz[]) AS z (name, at)
        ON z.name = coalesce(c.time_zone, '')
    LEFT JOIN unnest(%(zones)s::text[], %(instants)s::timestamptz[]) AS f (name, at)
        ON f.name = '' -- a zone that came up since the zones were read
), numbered AS MATERIALIZED (
    SELECT *, %(frozen)s + row_number() OVER (ORDER BY at, user_id)::int AS seq, uuidv7() AS delivery_id FROM timed
), people AS (
    INSERT INTO task_recipients (task_id, seq, tenant_id, delivery_id, user_id, domain, part)
    SELECT %(task_id)s, seq, %(tenant_id)s, delivery_id, user_id, nullif(domain, ''), CASE
        WHEN %(turns)s THEN (seq - 1) %% %(parts)s
        ELSE width_bucket(mod(mod(hashtextextended(user_id, %(seed)s), %(weight)s) + %(weight)s, %(weight)s),
                          %(bounds)s::bigint[]) END
    FROM numbered
), made AS (
    INSERT INTO deliveries (id, tenant_id, task_id, seq, position, channel, not_before, expires_at)
    SELECT delivery_id, %(tenant_id)s, %(task_id)s, seq, 0, %(channel)s, at, at + %(life)s FROM numbered
), paged AS (
    INSERT INTO task_pages (task_id, number, tenant_id, first_seq, last_seq, next_at, asks_at, counts)
    SELECT %(task_id)s, %(pages)s + number + 1, %(tenant_id)s, min(seq), max(seq), min(at), min(at) + %(life)s,
           jsonb_build_object('pending', count(*))
    FROM (SELECT seq, at, (seq - %(frozen)s - 1) / %(page)s AS number FROM numbered) placed GROUP BY number
)
SELECT count(*) AS count, max(user_id) AS last FROM chosen
"""

# Whoever paused, cancelled or froze it meanwhile has taken this chunk back.
ADVANCE = """
UPDATE campaign_tasks SET frozen_to = %(last)s
WHERE id = %(task_id)s AND frozen_to IS NOT DISTINCT FROM %(known)s AND frozen_at IS NULL
    AND state IN ('scheduled', 'sending') AND NOT cancel_requested
"""
FINISH = """
WITH frozen AS (
    UPDATE campaign_tasks SET audience = %(audience)s, frozen_at = now(), state = 'sending',
        started_at = coalesce(started_at, now()), updated_at = now()
    WHERE id = %(task_id)s RETURNING id, tenant_id
)
INSERT INTO task_events (task_id, tenant_id, kind, detail)
SELECT id, tenant_id, 'started', jsonb_build_object('audience', %(audience)s::int) FROM frozen
"""
BACK = """
WITH back AS (
    UPDATE campaign_tasks SET state = 'in_review', reason = 'audience_changed', updated_at = now()
    WHERE id = %(task_id)s AND state = 'scheduled' RETURNING id, tenant_id
)
INSERT INTO task_events (task_id, tenant_id, kind, reason, detail)
SELECT id, tenant_id, 'sent_back', 'audience_changed',
       jsonb_build_object('approved', %(approved)s::int, 'found', %(found)s::int) FROM back
"""


class _OvertakenError(Exception):
    """Somebody else changed the task; what this transaction wrote is rolled back."""


@dataclass(frozen=True, slots=True)
class Freezer:
    """Freezes audiences, pages of `page` recipients each."""

    database: Database
    page: int

    async def freeze(self, at: LookAtTask) -> None:
        """Freeze until all are frozen; what is frozen stays, and another attempt goes on behind it."""
        try:
            while await self._chunk(at):
                pass
        except _OvertakenError:
            return
        except Invalid as error:
            async with self.database.tenant_transaction(at.tenant_id) as connection:
                await fail(connection, at.task_id, error.code)

    async def _chunk(self, at: LookAtTask) -> bool:
        """Freeze one chunk; False when it was the last."""
        async with self.database.tenant_transaction(at.tenant_id) as connection:
            task = await (await connection.execute(READ, {"task_id": at.task_id})).fetchone()
            if task is None:
                return False
            selection = compile_rule(task["rule"], at.tenant_id)
            if task["frozen_to"] is None and not await _may_begin(connection, task, selection):
                return False
            await take_turn(connection, at.tenant_id)
            found = await self._write(connection, task, selection)
            known = {"task_id": at.task_id, "known": task["frozen_to"], "last": found["last"] or task["frozen_to"]}
            if (await connection.execute(ADVANCE, known)).rowcount != 1:
                raise _OvertakenError
            if found["count"] == self.page * PAGES_AT_ONCE:
                return True
            await connection.execute(FINISH, {"task_id": at.task_id, "audience": task["frozen"] + found["count"]})
            return False

    async def _write(self, connection: Connection, task: Mapping[str, Any], selection: Selection) -> Mapping[str, Any]:
        zones = await _instants(connection, task, selection)
        weights = [int(one.get("weight") or 1) for one in task["pinned"]]
        *bounds, weight = accumulate(weights)
        drawn = {"parts": len(weights), "bounds": bounds, "weight": weight}
        parameters = {
            **selection.parameters,
            **drawn,
            "turns": "template_set" in task["content"],
            "seed": int.from_bytes(task["id"].bytes[-7:]),
            "task_id": task["id"],
            "tenant_id": task["tenant_id"],
            "channel": task["channel"],
            "after": task["frozen_to"] or "",
            "frozen": task["frozen"],
            "pages": task["pages"],
            "chunk": self.page * PAGES_AT_ONCE,
            "page": self.page,
            "at": task["at"],
            "life": task["time_to_live"],
            "zones": list(zones),
            "instants": list(zones.values()),
        }
        found = await connection.execute(CHUNK.format(sql=selection.sql), parameters)
        [row] = await found.fetchall()
        return row


async def _may_begin(connection: Connection, task: Mapping[str, Any], selection: Selection) -> bool:
    """Check what a launch was promised: the contents are there, and the audience is as large as somebody approved.

    Raises:
        Invalid: `template_not_approved`, `no_content`.
    """
    pins = {(UUID(one["template_id"]), int(one["version"])) for one in task["pinned"] or ()}
    if not pins:
        raise Invalid("The task says nothing.", code="no_content")
    if pins - (await contents(connection, pins)).keys():
        raise Invalid("Nobody approved a version of this task.", code="template_not_approved")
    approved = task["approved_audience"]
    if approved is None:
        return True
    counted = await connection.execute(COUNT.format(sql=selection.sql), selection.parameters)
    [found] = await counted.fetchall()
    if abs(found["count"] - approved) <= max(FEW, approved * DRIFT):
        return True
    drift = {"task_id": task["id"], "approved": approved, "found": found["count"]}
    await connection.execute(BACK, drift)
    return False


async def _instants(connection: Connection, task: Mapping[str, Any], selection: Selection) -> Mapping[str, datetime]:
    """When the local time of the plan comes in each zone; '' is for those whose zone nobody knows."""
    local = task["plan"].get("local_time")
    if local is None:
        return {}
    wanted = datetime.fromisoformat(local)
    rows = await connection.execute(ZONES.format(sql=selection.sql), selection.parameters)
    names: Sequence[str] = [row["time_zone"] async for row in rows]
    fallback = task["plan"].get("fallback_zone") or UTC_NAME
    shown = {name: find_zone(name) for name in names}
    clocks = {name: find_zone(fallback) if zone.lost else zone for name, zone in shown.items()}
    clocks[""] = find_zone(fallback)
    return {name: wanted.replace(tzinfo=zone.info) for name, zone in clocks.items()}
