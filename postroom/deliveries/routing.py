"""Where a message goes: the address of a person over one channel, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from postroom.channels.email.addresses import clean_address
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import Invalid
from postroom.identity import address_hash


@dataclass(frozen=True, slots=True)
class Route:
    """An address as it will stand on the wire, and the hash under which it would be suppressed."""

    address: str
    address_hash: bytes


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing to send to; `reason` is a snake_case code."""

    reason: str


def route(channel: ChannelKind, row: Mapping[str, Any], pepper: bytes) -> Route | Skip:
    """Find the address of one delivery.

    `row` has `user_id`, `metadata` (an address given with the notification wins), `addresses` (the contact's) and
    `frozen_address`: where an earlier attempt went, which every later one repeats. Over webhooks it also has
    `endpoints`, what the tenant has now: an endpoint that was disabled since gets nothing more.
    """
    if channel is ChannelKind.WEBHOOK:
        address, reason = row["endpoints"].find(row)
        return Route(address, address_hash(pepper, channel, address)) if address else Skip(reason)
    if row["frozen_address"]:
        return Route(row["frozen_address"], address_hash(pepper, channel, row["frozen_address"]))
    address = row["user_id"] if channel is ChannelKind.IN_APP else _given(channel, row)
    if not address:
        return Skip("no_address")
    if channel is ChannelKind.EMAIL:
        try:
            address = clean_address(address)
        except Invalid as error:
            return Skip(error.code)
    return Route(address, address_hash(pepper, channel, address))


def _given(channel: ChannelKind, row: Mapping[str, Any]) -> str | None:
    given = row["metadata"].get(channel.value) or (row["addresses"] or {}).get(channel.value)
    return given if isinstance(given, str) else None
