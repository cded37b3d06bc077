"""Whom of a rule's people a message could reach: what policy would say to each, in one statement for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.audiences.rules import Selection
from postroom.channels.email.addresses import REFUSED_DOMAINS
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.identity import address_hash_beginnings
from postroom.policy.house import House
from postroom.policy.preferences import Subject, Wish, scopes_of

# Addresses that stand on the wire as they stand here, by any reading of the rules: short ones of plain letters, whose
# domain is not reserved. All others are judged one by one. No look ahead and no counted repetition: they cost a minute.
PLAIN = "^[A-Za-z0-9_+-]+([.][A-Za-z0-9_+-]+)*@([a-z0-9]+(-[a-z0-9]+)*[.])+[a-z]{2,}$"
RESERVED = sorted({name.rpartition(".")[2] for name in REFUSED_DOMAINS})

ADDRESS = {
    ChannelKind.EMAIL: "CASE jsonb_typeof(k.addresses -> 'email') WHEN 'string' THEN k.addresses ->> 'email' END",
    ChannelKind.IN_APP: "k.user_id",
}
ODD = {
    ChannelKind.EMAIL: "(address !~ %(plain)s::text OR split_part(address, '.', -1) = ANY (%(reserved)s::text[]) "
    "OR strpos(address, '@') > 65 OR length(address) - strpos(address, '@') > 63)",
    ChannelKind.IN_APP: "false",
}
SPELLING = {ChannelKind.EMAIL: "lower(address)", ChannelKind.IN_APP: "address"}

LISTS = """
FROM suppressions s WHERE s.tenant_id = %(tenant_id)s AND s.channel = %(channel)s AND s.scope = ANY(%(scopes)s)
    AND s.address_hash = p.address_hash"""
WISHES = """
FROM preferences q JOIN unnest(%(types)s::text[], %(channels)s::text[]) WITH ORDINALITY AS n (type, channel, rank)
    ON q.notification_type = n.type AND q.channel = n.channel
WHERE q.tenant_id = %(tenant_id)s AND q.user_id = p.user_id"""
# The first that has an objection decides, in the order of `policy.decision.decide`; null is none. Whether an odd
# address is on a list is for the caller to find out, who knows how it is spelt on the wire.
#
# Nobody can tell beforehand how many a rule finds, so there is no join whose plan would depend on it: lists and wishes
# are asked by EXISTS, which the planner answers from a hash of them or from their index, and either is a matter of
# seconds for a million people. The offset keeps what is made of an address from being made anew wherever it is used;
# written as a text it is a constant at once, and several processes may read (a number is cast first, and one must).
VERDICTS = f"""
SELECT p.user_id, p.odd,
    CASE WHEN EXISTS (SELECT {LISTS}) THEN (SELECT s.reason {LISTS} ORDER BY s.scope LIMIT 1) END AS listed,
    CASE WHEN p.address IS NULL OR p.address = '' THEN 'no_address'
         WHEN %(marketing)s AND p.given = 'false' THEN 'unsubscribed'
         WHEN %(marketing)s AND %(consent_required)s AND p.given IS DISTINCT FROM 'true' THEN 'no_consent'
         WHEN NOT CASE WHEN EXISTS (SELECT FROM preferences WHERE tenant_id = %(tenant_id)s AND user_id = p.user_id)
                       THEN coalesce((SELECT q.enabled {WISHES} ORDER BY n.rank LIMIT 1), %(enabled)s)
                       ELSE %(enabled)s END THEN 'unsubscribed'
         WHEN p.paused_until > now() THEN 'paused' END AS verdict
FROM (
    SELECT user_id, paused_until, address, odd,
           CASE jsonb_typeof(said) WHEN 'object' THEN said -> 'given' ELSE said END AS given,
           CASE WHEN odd IS NULL THEN sha256(%(outer)s::bytea || sha256(
               %(inner)s::bytea || convert_to({{spelling}}, 'UTF8'))) END AS address_hash
    FROM (
        SELECT user_id, paused_until, address, said, CASE WHEN {{odd}} THEN address END AS odd
        FROM (
            SELECT k.user_id, k.paused_until, {{address}} AS address,
                   k.consent -> 'marketing' -> %(channel)s::text AS said
            FROM contacts k WHERE {{selection}} {{window}} OFFSET '0'
        ) known OFFSET '0'
    ) spelt OFFSET '0'
) p
"""


@dataclass(frozen=True, slots=True)
class Errand:
    """A message that might be sent: what it is about, and what holds where a person said nothing."""

    tenant_id: UUID
    subject: Subject
    house: House
    default: Wish

    @property
    def channel(self) -> ChannelKind:
        """Over which channel."""
        return ChannelKind(self.subject.channel)

    def verdicts(self, selection: Selection, window: str = "") -> str:
        """Return the statement that decides on everybody of a selection, or on a window of them."""
        channel = self.channel
        return VERDICTS.format(
            odd=ODD[channel],
            address=ADDRESS[channel],
            spelling=SPELLING[channel],
            selection=selection.sql,
            window=window,
        )

    def parameters(self, selection: Selection, pepper: bytes) -> dict[str, Any]:
        """Return the parameters of that statement."""
        outer, inner = address_hash_beginnings(pepper, self.channel)
        types, channels = zip(*self.subject.names(), strict=True)
        asked: Mapping[str, Any] = {
            "tenant_id": self.tenant_id,
            "channel": str(self.channel),
            "marketing": self.subject.message_class is MessageClass.MARKETING,
            "consent_required": self.house.marketing_requires_consent,
            "enabled": self.default.enabled,
            "scopes": list(scopes_of(self.subject)),
            "types": list(types),
            "channels": list(channels),
            "outer": outer,
            "inner": inner,
            "plain": PLAIN,
            "reserved": RESERVED,
        }
        return {**selection.parameters, **asked}
