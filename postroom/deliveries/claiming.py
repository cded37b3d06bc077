"""Prepare and claim (transition 5): makes the deliveries of due notifications, decides on each, takes the lease."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from postroom.channels.base import Parcel
from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority
from postroom.database.arrays import Moments, Octets, Texts, Uuids
from postroom.database.engine import Connection
from postroom.database.wording import listed
from postroom.deliveries.ledger import Claim
from postroom.deliveries.prompting import Prompt, Prompter
from postroom.deliveries.routing import Route, Skip, route
from postroom.person_pages.links import Bearer, LinkMaker, Links
from postroom.policy.decision import Skip as Refused
from postroom.policy.decision import listed_reason
from postroom.policy.judging import Judge, Judgement
from postroom.policy.preferences import scopes_of
from postroom.policy.reading import COLUMNS, PERSON, TYPE, Candidate
from postroom.policy.reasons import Refusal, Wait
from postroom.rendering.casts import Cast
from postroom.rendering.trouble import Trouble
from postroom.templates.casting import Casting
from postroom.timing import Timing
from postroom.turns import in_turns
from postroom.webhooks.addressing import addressing

SEPARATOR = "\x1f"  # stands in no scope: words of the API hold no control characters

DUE = "n.state = 'open' AND n.due_at <= now() AND n.expires_at > now() AND NOT n.cancel_requested"

# One delivery for the first channel; all of them at once when every channel gets its own. What is there already stays.
MAKE = f"""
INSERT INTO deliveries (tenant_id, notification_id, position, channel, expires_at)
SELECT n.tenant_id, n.id, c.position - 1, c.channel,
       CASE WHEN n.strategy = 'first' AND cardinality(n.channels) > 1
            THEN least(n.expires_at, now() + n.fallback_after) ELSE n.expires_at END
FROM notifications n CROSS JOIN LATERAL unnest(n.channels) WITH ORDINALITY AS c (channel, position)
WHERE n.id = ANY(%(ids)s) AND {DUE} AND (n.strategy = 'all' OR c.position = 1)
ON CONFLICT (notification_id, position) WHERE notification_id IS NOT NULL DO NOTHING
"""

CLAIMABLE = f"""
SELECT d.id AS delivery_id, d.notification_id, d.created_at AS resolved_at, d.channel, n.tenant_id,
       p.title, p.body_text, p.body_html, p.metadata, k.addresses, m.message, t.mail_from,
       p.template_id, p.template_version, p.variables, p.language, k.language AS known_language, k.attributes,
       {COLUMNS},
       CASE WHEN d.marked_at IS NOT NULL THEN d.address END AS frozen_address,
       m.message IS NULL
           AND EXISTS (SELECT FROM notification_attachments a WHERE a.notification_id = n.id) AS enclosures
FROM deliveries d
JOIN notifications n ON n.id = d.notification_id
JOIN notification_contents p ON p.notification_id = n.id
JOIN tenants t ON t.id = n.tenant_id
{PERSON}
{TYPE}
LEFT JOIN delivery_messages m ON m.delivery_id = d.id
WHERE n.id = ANY(%(ids)s) AND {DUE} AND d.channel = %(channel)s AND d.expires_at > now() AND (
    (d.state IN ('pending', 'deferred') AND d.not_before <= now()) OR (d.state = 'claimed' AND d.lease_until < now()))
ORDER BY d.id LIMIT %(limit)s
FOR NO KEY UPDATE OF d
"""

# What is suppressed stays as it was and is not returned. A wait that policy made is over.
CLAIM = f"""
UPDATE deliveries d SET state = 'claimed', token = c.token, lease_until = now() + %(lease)s,
    address = c.address, address_hash = c.address_hash, scopes = string_to_array(c.scopes, chr(31)),
    template_variant = coalesce(c.variant, d.template_variant), language = coalesce(c.language, d.language),
    counted_at = c.counted_at, reason = CASE WHEN d.reason IN {listed(Wait)} THEN NULL ELSE d.reason END
FROM unnest(%(ids)b::uuid[], %(tokens)b::uuid[], %(addresses)b::text[], %(hashes)b::bytea[], %(scopes)b::text[],
            %(moments)b::timestamptz[], %(variants)b::text[], %(languages)b::text[])
    AS c (id, token, address, address_hash, scopes, counted_at, variant, language)
WHERE d.id = c.id AND NOT EXISTS (
    SELECT FROM suppressions s
    WHERE s.tenant_id = %(tenant_id)s AND s.channel = %(channel)s AND s.address_hash = c.address_hash
        AND s.scope = ANY(string_to_array(c.scopes, chr(31))))
RETURNING d.id
"""

# Why those that were not returned are on a list: of several entries the one policy would name.
LISTED = """
SELECT DISTINCT ON (c.id) c.id, s.reason
FROM unnest(%(ids)b::uuid[], %(hashes)b::bytea[], %(scopes)b::text[]) AS c (id, address_hash, scopes)
JOIN suppressions s ON s.tenant_id = %(tenant_id)s AND s.channel = %(channel)s AND s.address_hash = c.address_hash
    AND s.scope = ANY(string_to_array(c.scopes, chr(31)))
ORDER BY c.id, s.scope
"""

SKIP = """
WITH skipped AS (
    UPDATE deliveries d SET state = 'skipped', reason = s.reason, token = NULL, ended_at = now()
    FROM unnest(%(ids)s::uuid[], %(reasons)s::text[], %(causes)s::text[]) AS s (id, reason, because)
    WHERE d.id = s.id
    RETURNING d.notification_id, d.tenant_id, d.channel, d.reason, s.because
)
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT notification_id, tenant_id, 'skipped', reason,
       jsonb_strip_nulls(jsonb_build_object('channel', channel, 'because', because))
FROM skipped WHERE notification_id IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A parcel, its claim, and what it lacks unless its bytes are frozen: attachments, and a template's words.

    These are to be spoken as `cast` says, which is a trouble where nobody can be told.
    """

    claim: Claim
    parcel: Parcel
    enclosures: bool
    cast: Cast | Trouble | None = None


@dataclass(frozen=True, slots=True)
class Going:
    """What is about to be claimed: the item, where it goes, and under which names it could be suppressed."""

    item: Claimed
    way: Route
    scopes: Sequence[str]

    @property
    def id(self) -> UUID:
        """The delivery's id."""
        return self.item.claim.delivery_id

    @property
    def chosen(self) -> Cast | None:
        """What it will say, where a template does."""
        return self.item.cast if isinstance(self.item.cast, Cast) else None


@dataclass(frozen=True, slots=True)
class Desk:
    """Decides on due rows and claims those that may go."""

    timing: Timing
    pepper: bytes
    mail_from: str
    page: int
    links: LinkMaker
    prompter: Prompter = field(default_factory=Prompter)

    async def claim(
        self, connection: Connection, ids: Sequence[UUID], tenant_id: UUID, channel: ChannelKind
    ) -> list[Claimed]:
        """Claim what is due over `channel` among these locked notifications; skips are written with their reason."""
        if not ids:
            return []
        await connection.execute(MAKE, {"ids": list(ids)})
        due = {"ids": list(ids), "channel": channel, "limit": self.page}
        rows = await (await connection.execute(CLAIMABLE, due)).fetchall()
        if channel is ChannelKind.WEBHOOK and rows:
            endpoints = await addressing(connection, [row["notification_id"] for row in rows])
            rows = [row | {"endpoints": endpoints} for row in rows]
        return await self.admit(connection, tenant_id, channel, rows)

    async def admit(
        self, connection: Connection, tenant_id: UUID, channel: ChannelKind, rows: Sequence[Mapping[str, Any]]
    ) -> list[Claimed]:
        """Claim what may go of these due rows, which are locked; skips are written with their reason.

        Rows have the columns of `CLAIMABLE`, whoever read them; those of a task also have its `bulk`.
        """
        key: dict[str, object] = {"tenant_id": tenant_id, "channel": channel}
        routed = [(row, route(channel, row, self.pepper)) async for row in in_turns(rows)]
        skips: dict[UUID, Skip | Refused] = {row["delivery_id"]: way for row, way in routed if isinstance(way, Skip)}
        ways = [(Candidate(row, way.address, way.address_hash), way) for row, way in routed if isinstance(way, Route)]
        judgement = await Judge(self.timing).judge(connection, tenant_id, channel, [one for one, _ in ways])
        allowed = [(one, way) for one, way in ways if judgement.allows(one.id)]
        pins = {(one.row["template_id"], one.row["template_version"]) for one, _ in allowed if _is_cast(one.row)}
        prompt = await self.prompter.prompt(connection, tenant_id, pins)
        going = [
            Going(self._item(one.row, way, prompt), way, scopes_of(one.subject(channel)))
            async for one, way in in_turns(allowed)
        ]
        taken = await self._take(connection, key, going, judgement)
        refused = {one: said for one, said in judgement.verdicts.items() if isinstance(said, Refused)}
        refused |= await self._listed(connection, key, [one for one in going if one.id not in taken])
        await judgement.close(frozenset(refused))
        await self._skip(connection, skips | refused)
        return [one.item for one in going if one.id in taken]

    async def _take(
        self, connection: Connection, key: Mapping[str, object], going: Sequence[Going], judgement: Judgement
    ) -> frozenset[UUID]:
        """Write the claims and return the ids of the deliveries that took theirs: all but the suppressed."""
        if not going:
            return frozenset()
        claims = {
            "ids": Uuids(one.id for one in going),
            "tokens": Uuids(one.item.claim.token for one in going),
            "addresses": Texts(one.way.address for one in going),
            "hashes": Octets(one.way.address_hash for one in going),
            "scopes": Texts(SEPARATOR.join(one.scopes) for one in going),
            "moments": Moments(judgement.counted_at.get(one.id) for one in going),
            "variants": Texts(one.chosen.variant if one.chosen else None for one in going),
            "languages": Texts(one.chosen.language if one.chosen else None for one in going),
            "lease": self.timing.claim_lease,
        }
        rows = await connection.execute(CLAIM, dict(key) | claims)
        return frozenset([row["id"] async for row in rows])

    async def _listed(
        self, connection: Connection, key: Mapping[str, object], stopped: Sequence[Going]
    ) -> dict[UUID, Refused]:
        """Say of what a list stopped whether its recipient did that; it is asked only where something was stopped."""
        reasons = {one.id: Refused(Refusal.SUPPRESSED) for one in stopped}
        if not stopped:
            return reasons
        asked = {
            "ids": Uuids(one.id for one in stopped),
            "hashes": Octets(one.way.address_hash for one in stopped),
            "scopes": Texts(SEPARATOR.join(one.scopes) for one in stopped),
        }
        found = await connection.execute(LISTED, dict(key) | asked)
        return reasons | {row["id"]: Refused(listed_reason(row["reason"]), row["reason"]) async for row in found}

    async def _skip(self, connection: Connection, skips: Mapping[UUID, Skip | Refused]) -> None:
        if skips:
            lines = {
                "ids": list(skips),
                "reasons": [str(one.reason) for one in skips.values()],
                "causes": [one.because if isinstance(one, Refused) else None for one in skips.values()],
            }
            await connection.execute(SKIP, lines)

    def _item(self, row: Mapping[str, Any], way: Route, prompt: Prompt) -> Claimed:
        resolved_at: datetime = row["resolved_at"]
        links = self._links(row, way)
        offered = links if _offers(row) else None
        parcel = Parcel(
            delivery_id=row["delivery_id"],
            notification_id=row["notification_id"],
            tenant_id=row["tenant_id"],
            address=way.address,
            sender=row["mail_from"] or self.mail_from,
            resolved_at=resolved_at,
            priority=Priority(row["priority"]),
            user_id=row["user_id"],
            notification_type=row["notification_type"],
            title=row["title"],
            body_text=row["body_text"],
            body_html=row["body_html"],
            metadata=row["metadata"],
            message=row["message"],
            unsubscribe_url=offered.unsubscribe_url if offered else None,
            preferences_url=offered.preferences_url if offered else None,
            bulk=row.get("bulk"),
        )
        cast = None
        if _is_cast(row):
            recipient = row["user_id"] or str(row["notification_id"] or row["delivery_id"])
            cast = prompt.cast(Casting.of(row, links.named() if links else {}), recipient, row["delivery_id"])
        return Claimed(Claim(row["delivery_id"], uuid4()), parcel, row["enclosures"], cast)

    def _links(self, row: Mapping[str, Any], way: Route) -> Links | None:
        """Make the recipient's own links where they are named: in a template, and in the header of marketing e-mail."""
        channel = ChannelKind(row["channel"])
        if row["message"] or not (_offers(row) or row["template_id"]):
            return None
        message = row["delivery_id"] if row.get("bulk") else None
        return self.links.links(
            Bearer(row["tenant_id"], row["user_id"], channel, way.address_hash, row["notification_type"], message)
        )


def _offers(row: Mapping[str, Any]) -> bool:
    """Whether it is mail that must show how to leave."""
    return bool(row["channel"] == ChannelKind.EMAIL and row["class"] == MessageClass.MARKETING)


def _is_cast(row: Mapping[str, Any]) -> bool:
    """Whether a template finds its words; bytes that are frozen stay as they are."""
    return bool(row["template_id"] and not row["message"])
