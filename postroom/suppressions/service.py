"""Suppressions of one deployment, as the API and the operator read and write them; each call is one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database
from postroom.errors import Invalid, NotFound
from postroom.identity import address_hash, new_id
from postroom.notifications.replay import named_before
from postroom.notifications.request import IdempotencyKey
from postroom.paging import Page
from postroom.policy.reconsidering import reconsidered
from postroom.suppressions import repository
from postroom.suppressions.entry import Entry, Reason, Source, wire_spelling
from postroom.suppressions.models import Suppression

MOST = 1_000  # entries of one list


@dataclass(frozen=True, slots=True)
class Standing:
    """One entry as it is stored: whom it is about, nobody can read."""

    id: UUID
    channel: str
    address_hash: bytes
    scope: str
    reason: str
    source: str
    note: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any] | Suppression) -> Self:
        """Take a row."""
        values = row if isinstance(row, dict) else vars(row)
        return cls(**{name: values[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Written:
    """Entries that stand, how many of them are new, and whether an earlier request under the same key wrote them."""

    entries: Sequence[Standing]
    new: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries a list shows; None shows all."""

    channel: ChannelKind | None = None
    reason: Reason | None = None
    scope: str | None = None


class Suppressions:
    """The lists of all tenants, each seen by its own; the mark asks them right before every hand-off."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper

    async def add(
        self, tenant_id: UUID, entries: Sequence[Entry], source: Source, key: IdempotencyKey | None = None
    ) -> Written:
        """Suppress addresses; what is suppressed already stays as it was.

        Raises:
            Invalid: an address is none, or the key named another request.
        """
        columns = self._columns(tenant_id, entries, source)
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await _write(connection, columns, key)

    async def block(
        self, tenant_id: UUID, person: tuple[str, ChannelKind | None], like: Entry, key: IdempotencyKey | None
    ) -> Written:
        """Suppress what is known of a person: their inbox and their e-mail address, or one of them.

        `person` is a user_id and a channel, None for all; `like` says everything but channel and address.

        Raises:
            Invalid: there is no address for the channel (`no_address`).
        """
        user_id, channel = person
        async with reconsidered(self._database, tenant_id, user_id) as connection:
            addresses = await repository.addresses_of(connection, tenant_id, user_id) | {ChannelKind.IN_APP: user_id}
            kinds = [kind for kind in (ChannelKind.IN_APP, ChannelKind.EMAIL) if channel in {kind, None}]
            named = [replace(like, channel=kind, address=addresses[kind]) for kind in kinds if kind in addresses]
            if not named:
                raise Invalid.at("/channel", "no_address", "No address of this person is known for this channel.")
            return await _write(connection, self._columns(tenant_id, named, Source.API), key)

    async def page(self, tenant_id: UUID, filters: Filters, window: tuple[UUID | None, int]) -> Page[Standing]:
        """Return entries, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        asked = {"channel": filters.channel, "reason": filters.reason, "scope": filters.scope}
        async with self._database.tenant_session(tenant_id) as session:
            found = await repository.page(session, asked, (after, limit + 1))
        items = [Standing.of(row) for row in found[:limit]]
        return Page(items, items[-1].id if len(found) > limit else None)

    async def check(self, tenant_id: UUID, channel: ChannelKind, address: str) -> Sequence[Standing]:
        """Return what is suppressed of an address."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            rows = await repository.of_address(connection, self._place(tenant_id, channel, address))
        return [Standing.of(row) for row in rows]

    async def remove(self, tenant_id: UUID, suppression_id: UUID) -> None:
        """Take an entry away, whatever its reason; raises NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            if not await repository.remove(connection, tenant_id, suppression_id):
                raise NotFound("There is no such suppression.")

    async def remove_address(
        self, tenant_id: UUID, channel: ChannelKind, address: str, scope: str | None = None
    ) -> int:
        """Allow an address again, in one scope or in all; returns how many entries there were."""
        place = self._place(tenant_id, channel, address) | {"scope": scope}
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await repository.remove_address(connection, place)

    def _place(self, tenant_id: UUID, channel: ChannelKind, address: str) -> dict[str, Any]:
        return {"tenant_id": tenant_id, "channel": str(channel), "hash": self._hash(channel, address)}

    def _columns(self, tenant_id: UUID, entries: Sequence[Entry], source: Source) -> dict[str, Any]:
        return {
            "tenant_id": tenant_id,
            "source": str(source),
            "ids": [new_id() for _ in entries],
            "channels": [str(entry.channel) for entry in entries],
            "hashes": [self._hash(entry.channel, entry.address) for entry in entries],
            "scopes": [entry.scope for entry in entries],
            "reasons": [str(entry.reason) for entry in entries],
            "notes": [entry.note for entry in entries],
        }

    def _hash(self, channel: ChannelKind, address: str) -> bytes:
        return address_hash(self._pepper, channel, wire_spelling(channel, address))


async def _write(connection: Connection, columns: dict[str, Any], key: IdempotencyKey | None) -> Written:
    """Write entries, or read them when an earlier request under the same key did."""
    again = await named_before(connection, columns["tenant_id"], key, {"notification_id": columns["ids"][0]})
    rows = await (repository.standing if again else repository.add)(connection, columns)
    new = sum(row["is_new"] for row in rows)
    return Written([Standing.of(row) for row in rows], new, replayed=again is not None)
