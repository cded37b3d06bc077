"""What a verdict writes: a later time, a place in a digest, an event in the timeline; one statement each for a page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.database.arrays import Moments, Texts, Uuids
from postroom.database.engine import Connection
from postroom.digests.collecting import Collected, collect
from postroom.policy.decision import Allow, Defer, Digest, Verdict
from postroom.policy.facts import Ground
from postroom.timing import Timing

# The turn of a channel stands still while policy lets it wait: the next one would mostly have to wait as well.
PUT_OFF = """
UPDATE deliveries d SET state = 'pending', token = NULL, reason = p.reason, not_before = p.until,
    expires_at = coalesce((
        SELECT least(n.expires_at, greatest(d.expires_at, p.until + n.fallback_after)) FROM notifications n
        WHERE n.id = d.notification_id AND n.strategy = 'first' AND d.position + 1 < cardinality(n.channels)
    ), d.expires_at)
FROM unnest(%(ids)b::uuid[], %(reasons)b::text[], %(untils)b::timestamptz[]) AS p (id, reason, until)
WHERE d.id = p.id
"""

# A verdict is told once: a look that comes to the same one says nothing new.
TELL = """
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT t.id, %(tenant_id)s, t.kind, t.reason, t.detail
FROM (SELECT id, kind, reason, detail::jsonb
      FROM unnest(%(ids)b::uuid[], %(kinds)b::text[], %(reasons)b::text[], %(details)b::text[])
          AS line (id, kind, reason, detail)) t
WHERE (t.reason, t.detail) IS DISTINCT FROM (
    SELECT (e.reason, e.detail) FROM notification_events e
    WHERE e.notification_id = t.id AND e.kind = t.kind AND e.detail ->> 'channel' = t.detail ->> 'channel'
    ORDER BY e.id DESC LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class Decided:
    """The row of a message and the verdict on it."""

    row: Mapping[str, Any]
    verdict: Verdict

    def told(self) -> tuple[UUID, str, str, str] | None:
        """What the timeline hears of it; a message that simply goes tells its own story, and so does a skipped one."""
        if self.row["notification_id"] is None:  # a task's recipient has no timeline of its own
            return None
        verdict, about = self.verdict, {"channel": str(self.row["channel"])}
        match verdict:
            case Defer() | Digest():
                until = verdict.until if isinstance(verdict, Defer) else verdict.closes_at
                detail = about | {"until": until.isoformat()} | dict(verdict.detail)
                return self.row["notification_id"], "deferred_by_policy", str(verdict.reason), json.dumps(detail)
            case Allow(bypassed) if bypassed:
                detail = about | {"bypassed": list(bypassed)}
                return self.row["notification_id"], "policy_bypassed", self._ground(), json.dumps(detail)
        return None

    def _ground(self) -> str:
        """What lifted the rules, the weightiest first."""
        if self.row["class"] == Ground.SECURITY:
            return str(Ground.SECURITY)
        return str(Ground.SEND_NOW if self.row["send_now"] else Ground.CRITICAL)


async def carry_out(connection: Connection, tenant_id: UUID, page: Sequence[Decided], timing: Timing) -> None:
    """Write what was decided to wait or to bypass, and tell it; skips and claims are the caller's."""
    if later := [(one.row, one.verdict) for one in page if isinstance(one.verdict, Defer)]:
        columns = {
            "ids": Uuids(row["delivery_id"] for row, _ in later),
            "reasons": Texts(str(verdict.reason) for _, verdict in later),
            "untils": Moments(verdict.until for _, verdict in later),
        }
        await connection.execute(PUT_OFF, columns)
    if told := [line for one in page if (line := one.told())]:
        ids, kinds, reasons, details = zip(*told, strict=True)
        lines = {"ids": Uuids(ids), "kinds": Texts(kinds), "reasons": Texts(reasons), "details": Texts(details)}
        await connection.execute(TELL, {"tenant_id": tenant_id} | lines)
    items = [
        Collected(row["notification_id"], row["user_id"], row["notification_type"], row["channel"], verdict.closes_at)
        for row, verdict in ((one.row, one.verdict) for one in page)
        if isinstance(verdict, Digest)
    ]
    await collect(connection, tenant_id, items, timing)
