"""Who was reached when: the places under the caps, locked, counted and written back within a claim's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind, DeliveryState
from postroom.database.arrays import Moments, Texts, Uuids
from postroom.database.engine import Connection
from postroom.policy.caps import Cap
from postroom.policy.reasons import Wait

Key = tuple[str, str]  # a person and a class
Rank = tuple[int, UUID]  # priority, then the order of acceptance: who goes first
REMEMBERED = 500  # who wait for a place in their order, however few places a cap has

# Whoever inserts or locks several rows does both in one order: first all inserts, then all locks.
# Who is new and alone has a place at once.
OPEN = """
INSERT INTO contact_usage (tenant_id, user_id, channel, class, sent_at, held_by)
SELECT %(tenant_id)s, user_id, %(channel)s, class, array_remove(ARRAY[at], NULL), array_remove(ARRAY[holder], NULL)
FROM unnest(%(users)b::text[], %(classes)b::text[], %(moments)b::timestamptz[], %(holders)b::uuid[])
    AS new (user_id, class, at, holder)
ORDER BY user_id, class
ON CONFLICT DO NOTHING
RETURNING ctid::text AS place, user_id, class
"""
# People and classes are asked for apart: each is a step in the index, whatever the planner thinks of pairs.
READ = """
SELECT ctid::text AS place, user_id, class, sent_at, held_by, waiting FROM contact_usage
WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s AND user_id = ANY(%(users)b) AND class = ANY(%(classes)b)
"""
LOCK = READ + "ORDER BY user_id, class FOR NO KEY UPDATE"

# Asked under the lock, so that everybody who took a place or waits for one before has committed it.
STANDING = """
SELECT d.id, d.state, d.reason, d.not_before, coalesce(n.id, d.id) AS owner_id, coalesce(n.priority, 4) AS priority,
       coalesce(n.ambiguous, d.resends > 0) AS ambiguous, coalesce(n.state = 'open', true) AS open,
       least(n.expires_at, d.expires_at) > now() AS alive
FROM deliveries d LEFT JOIN notifications n ON n.id = d.notification_id
WHERE d.id = ANY(%(ids)s)
"""

# A row that is locked stays where it is.
WRITE = """
UPDATE contact_usage u
SET sent_at = c.sent_at::timestamptz[], held_by = c.held_by::uuid[], waiting = c.waiting::uuid[]
FROM unnest(%(rows)b::text[]::tid[], %(sent_at)b::text[], %(held_by)b::text[], %(waiting)b::text[])
    AS c (place, sent_at, held_by, waiting)
WHERE u.ctid = c.place
"""

# Where a hand-off may have begun, a place stays taken; so it does when nobody can tell.
REACHED = frozenset(
    {
        DeliveryState.CLAIMED,
        DeliveryState.HANDING_OFF,
        DeliveryState.ACCEPTED,
        DeliveryState.UNKNOWN,
        DeliveryState.HELD,
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """Who reaches a person, and when."""

    holder: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiter:
    """A message that was put off under a cap and waits for its place."""

    delivery_id: UUID
    rank: Rank
    at: datetime


@dataclass(slots=True)
class Usage:
    """The places of one person and class over one channel; `places` is by delivery, `row` where it is kept.

    `written` is what the row says where that is no other than what was decided here.
    """

    row: str | None = None
    places: dict[UUID, datetime] = field(default_factory=dict)
    written: Mapping[UUID, datetime] | None = None
    waiting: list[UUID] = field(default_factory=list)
    waiters: list[Waiter] = field(default_factory=list)

    def forget(self, caps: Sequence[Cap], now: datetime) -> None:
        """Keep what a cap still looks at: nothing older than the longest window, no more than the largest cap."""
        oldest = now - max(cap.window for cap in caps)
        kept = sorted((at, holder) for holder, at in self.places.items() if at > oldest)
        self.places = {holder: at for at, holder in kept[-max(cap.limit for cap in caps) :]}

    def is_crowded(self, newcomers: int, caps: Sequence[Cap], now: datetime) -> bool:
        """Whether somebody waits, or not all newcomers find a place: then it matters who stands where."""
        if self.waiting:
            return True
        return any(sum(at > now - cap.window for at in self.places.values()) + newcomers > cap.limit for cap in caps)

    def sort_out(self, standing: Mapping[UUID, Mapping[str, Any]], here: frozenset[UUID]) -> None:
        """Give back the places of what was never handed off, and find out who really waits; `here` is decided now."""
        self.places = {
            holder: at
            for holder, at in self.places.items()
            if holder in here or (one := standing.get(holder)) is None or one["state"] in REACHED or one["ambiguous"]
        }
        self.waiters = [
            Waiter(one["id"], (one["priority"], one["owner_id"]), one["not_before"])
            for waiting in self.waiting
            if waiting not in here and (one := standing.get(waiting)) and _waits(one)
        ]
        self.waiting = [waiter.delivery_id for waiter in self.waiters]

    def taken(self, delivery_id: UUID, rank: Rank, now: datetime) -> list[datetime]:
        """When others were reached, and when those before this message will be; who holds a place keeps it."""
        others = [at for holder, at in self.places.items() if holder != delivery_id]
        if delivery_id not in self.places:
            others += [max(waiter.at, now) for waiter in self.waiters if waiter.rank < rank]
        return sorted(others)

    def wait(self, waiter: Waiter, most: int) -> None:
        """Let a message wait. Only so many are remembered: whoever comes after them asks again at its time."""
        self.places.pop(waiter.delivery_id, None)
        self.waiters = sorted([*self.waiters, waiter], key=lambda one: one.rank)
        self.waiting = [one.delivery_id for one in self.waiters[:most]]


@dataclass(frozen=True, slots=True)
class Register:
    """The usage rows of one tenant and channel, inside the claim's transaction."""

    connection: Connection
    tenant_id: UUID
    channel: ChannelKind

    async def lock(self, wanted: Mapping[Key, Place | None], known: frozenset[Key]) -> dict[Key, Usage]:
        """Lock the rows of these people, opening those that are not `known` to be there.

        Whoever is wanted with a place takes it along where the row is new: then nobody else has one, and nobody waits.
        """
        keys = sorted(wanted)
        opened = await self._opened({key: wanted[key] for key in keys if key not in known})
        left = [key for key in keys if key not in opened]
        return opened | (await self._usages(LOCK, left) if left else {})

    async def _opened(self, new: Mapping[Key, Place | None]) -> dict[Key, Usage]:
        """Open rows; returns those that were new indeed and hold what they should."""
        if not new:
            return {}
        places = {
            "moments": Moments(place.at if place else None for place in new.values()),
            "holders": Uuids(place.holder if place else None for place in new.values()),
        }
        rows = await self.connection.execute(OPEN, self._named(list(new)) | places)
        opened: dict[Key, Usage] = {}
        async for row in rows:
            key = row["user_id"], row["class"]
            if place := new[key]:
                opened[key] = Usage(row["place"], {place.holder: place.at}, {place.holder: place.at})
        return opened

    async def look(self, key: Key) -> Usage:
        """Read how one person stands without locking, and without those who turned out not to need their place."""
        usage = (await self._usages(READ, [key]))[key]
        await self.sort_out([usage], frozenset())
        return usage

    async def _usages(self, statement: str, keys: Sequence[Key]) -> dict[Key, Usage]:
        rows = await self.connection.execute(statement, self._named(keys))
        found = {
            (row["user_id"], row["class"]): Usage(
                row["place"],
                dict(zip(row["held_by"], row["sent_at"], strict=True)),
                waiting=list(row["waiting"]),
            )
            async for row in rows
        }
        return {key: found.get(key, Usage()) for key in keys}

    async def sort_out(self, crowded: Sequence[Usage], here: frozenset[UUID]) -> None:
        """Learn how those stand who hold a place or wait for one."""
        ids = {one for usage in crowded for one in (*usage.places, *usage.waiting)}
        if not ids:
            return
        rows = await self.connection.execute(STANDING, {"ids": list(ids)})
        standing = {row["id"]: row async for row in rows}
        for usage in crowded:
            usage.sort_out(standing, here)

    async def write(self, usages: Iterable[Usage]) -> None:
        """Write rows back that are locked, unless they say it already."""
        if kept := [one for one in usages if one.row and one.places != one.written]:
            columns = {
                "rows": Texts(one.row for one in kept),
                "sent_at": Texts(_array(at.isoformat() for at in one.places.values()) for one in kept),
                "held_by": Texts(_array(map(str, one.places)) for one in kept),
                "waiting": Texts(_array(map(str, one.waiting)) for one in kept),
            }
            await self.connection.execute(WRITE, columns)

    def _named(self, keys: Sequence[Key]) -> dict[str, object]:
        return {
            "tenant_id": self.tenant_id,
            "channel": self.channel,
            "users": Texts(user_id for user_id, _ in keys),
            "classes": Texts(message_class for _, message_class in keys),
        }


def _waits(one: Mapping[str, Any]) -> bool:
    return bool(
        one["state"] == DeliveryState.PENDING and one["reason"] == Wait.FREQUENCY_CAP and one["open"] and one["alive"]
    )


def _array(items: Iterable[str]) -> str:
    """Spell an array of an array: the driver knows none whose rows differ in length."""
    return "{" + ",".join(items) + "}"
