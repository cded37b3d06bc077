"""The facts of a whole page, in one statement beside what its claim reads of every message anyway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority
from postroom.database.arrays import Octets, Texts, Uuids
from postroom.database.engine import Connection
from postroom.policy.facts import Facts, Message, Recipient
from postroom.policy.house import CHOICE, House
from postroom.policy.preferences import NO_WORD, Frequency, Subject, Wish, scopes_of
from postroom.policy.quiet_hours import QuietHours

# What a row of a claim has to tell, beside the notification `n`: the contact `k` and the declared type `y`.
COLUMNS = """
n.user_id, n.class, n.priority, n.notification_type, n.send_now, n.expires_at AS ends_at, y.group_name,
y.defaults AS type_defaults, k.user_id IS NOT NULL AS known, k.time_zone, k.quiet_hours, k.consent,
k.paused_until = 'infinity' AS paused_for_good, nullif(k.paused_until, 'infinity') AS paused_until, now() AS read_at
"""
PERSON = "LEFT JOIN contacts k ON k.tenant_id = n.tenant_id AND k.user_id = n.user_id"
TYPE = "LEFT JOIN notification_types y ON y.tenant_id = n.tenant_id AND y.name = n.notification_type"

BACKGROUND = """
SELECT (SELECT value FROM tenant_settings WHERE tenant_id = %(tenant_id)s AND name = %(choice)s) AS house,
       (SELECT jsonb_agg(jsonb_build_array(user_id, notification_type, channel, enabled, frequency)) FROM preferences
        WHERE tenant_id = %(tenant_id)s AND user_id = ANY(%(users)b) AND channel IN (%(channel)s, '*')) AS wishes,
       (SELECT jsonb_agg(jsonb_build_array(encode(address_hash, 'hex'), scope, reason) ORDER BY scope) FROM suppressions
        WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s AND address_hash = ANY(%(hashes)b)) AS lists,
       (SELECT jsonb_agg(jsonb_build_array(user_id, class)) FROM contact_usage
        WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s AND user_id = ANY(%(users)b)) AS counted,
       (SELECT jsonb_agg(notification_id) FROM digests WHERE notification_id = ANY(%(notifications)b)) AS digests
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that has an address: the row its claim read, and the hash under which the address may be listed."""

    row: Mapping[str, Any]
    address: str
    address_hash: bytes

    @property
    def id(self) -> UUID:
        """The delivery's id."""
        delivery_id: UUID = self.row["delivery_id"]
        return delivery_id

    def subject(self, channel: ChannelKind) -> Subject:
        """What the message is about."""
        row = self.row
        return _subject(row["class"], channel, row["notification_type"], row["group_name"])


@lru_cache(maxsize=1_024)
def _subject(message_class: str, channel: ChannelKind, notification_type: str | None, group: str | None) -> Subject:
    """Make a subject once for all messages about it: a page is mostly about one."""
    return Subject(MessageClass(message_class), channel, notification_type, group)


@dataclass(frozen=True, slots=True)
class Background:
    """What is known beside the rows: the tenant's policy, wishes by person, lists by address, and who is counted."""

    channel: ChannelKind
    house: House
    wishes: Mapping[str, Mapping[tuple[str, str], Wish]]
    lists: Mapping[str, Sequence[tuple[str, str]]]
    counted: frozenset[tuple[str, str]]
    digests: frozenset[str]

    def facts(self, candidate: Candidate, hour: timedelta, day: timedelta) -> Facts:
        """Put together what one message is decided from, without the places that are taken."""
        row, subject = candidate.row, candidate.subject(self.channel)
        listed = self.lists.get(candidate.address_hash.hex(), ())
        return Facts(
            message=Message(
                subject,
                Priority(row["priority"]),
                row["ends_at"],
                send_now=row["send_now"],
                digest=row["notification_id"] is None or str(row["notification_id"]) in self.digests,
            ),
            house=self.house,
            recipient=self._recipient(row),
            default=default_wish(row["type_defaults"], self.channel),
            suppressed=[why for scope, why in listed if scope in scopes_of(subject)],
            caps=self.house.caps(subject, hour, day),
        )

    def _recipient(self, row: Mapping[str, Any]) -> Recipient | None:
        if not row["user_id"]:
            return None
        return Recipient(
            time_zone=row["time_zone"],
            quiet_hours=None if row["quiet_hours"] is None else QuietHours.read(row["quiet_hours"]),
            paused_for_good=bool(row["paused_for_good"]),
            paused_until=row["paused_until"],
            consent=row["consent"] or {},
            wishes=self.wishes.get(row["user_id"], {}),
        )


async def read_background(
    connection: Connection, tenant_id: UUID, channel: ChannelKind, candidates: Sequence[Candidate]
) -> Background:
    """Read what a page is decided from, in one statement whatever its size; its notifications are locked."""
    found = await connection.execute(
        BACKGROUND,
        {
            "tenant_id": tenant_id,
            "channel": channel,
            "choice": CHOICE,
            "users": Texts(sorted({one.row["user_id"] for one in candidates if one.row["user_id"]})),
            "hashes": Octets(one.address_hash for one in candidates),
            "notifications": Uuids(one.row["notification_id"] for one in candidates),
        },
    )
    [row] = await found.fetchall()
    wishes: dict[str, dict[tuple[str, str], Wish]] = {}
    for user_id, name, where, enabled, frequency in row["wishes"] or ():
        wishes.setdefault(user_id, {})[name, where] = Wish(enabled, Frequency(frequency))
    lists: dict[str, list[tuple[str, str]]] = {}
    for address, scope, reason in row["lists"] or ():
        lists.setdefault(address, []).append((scope, reason))
    counted = frozenset((user_id, message_class) for user_id, message_class in row["counted"] or ())
    return Background(channel, House.read(row["house"]), wishes, lists, counted, frozenset(row["digests"] or ()))


def default_wish(defaults: Mapping[str, Any] | None, channel: str) -> Wish:
    """What holds for a type where the person said nothing: `{"enabled", "channels": {"email": false}, "frequency"}`."""
    if not defaults:
        return NO_WORD
    enabled = (defaults.get("channels") or {}).get(channel, defaults.get("enabled", True))
    return Wish(bool(enabled), Frequency(defaults.get("frequency") or Frequency.IMMEDIATE))
