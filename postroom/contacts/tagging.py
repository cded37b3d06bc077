"""Tags, as the API reads and writes them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.contacts import repository, tags
from postroom.contacts.person import Contact
from postroom.database.engine import Database
from postroom.errors import NotFound

# Moving a tag of a million people takes half a minute: what fits into a request is done, and the rest by repeating it.
CHUNK = 20_000
SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Tagged:
    """How many people got a tag, how many lost it, and who is not known at all."""

    added: int
    removed: int
    unknown: Sequence[str]


@dataclass(frozen=True, slots=True)
class Moved:
    """How many people lost a tag, or got another for it; `done` when nobody has it any more."""

    contacts: int
    done: bool


class Tags:
    """Tags of one deployment's people; what is said of one request is done in one transaction, but for `move`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: UUID, prefix: str, window: tuple[str, int]
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        """Return tags by name with their counts, and the name the next page starts behind."""
        after, limit = window
        async with self._database.tenant_transaction(tenant_id) as connection:
            found = await tags.counted_tags(connection, tenant_id, prefix, (after, limit + 1))
        return found[:limit], str(found[limit - 1]["tag"]) if len(found) > limit else None

    async def add(self, tenant_id: UUID, user_id: str, tag: str) -> Contact:
        """Tag a person, or raise NotFound; twice is once."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            await tags.add_tag(connection, tenant_id, tag, [user_id])
            contact = await repository.contact_of(connection, tenant_id, user_id)
        if contact is None:
            raise NotFound("There is no such contact.")
        return contact

    async def remove(self, tenant_id: UUID, user_id: str, tag: str) -> None:
        """Take a tag from a person, or raise NotFound; one they do not have is gone already."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            if await tags.unknown_people(connection, tenant_id, [user_id]):
                raise NotFound("There is no such contact.")
            await tags.remove_tag(connection, tenant_id, tag, [user_id])

    async def change(self, tenant_id: UUID, tag: str, add: Sequence[str], remove: Sequence[str]) -> Tagged:
        """Tag many, and take the tag from others: all of it or nothing. Who is unknown is told, and stays so."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            unknown = await tags.unknown_people(connection, tenant_id, sorted({*add, *remove}))
            removed = await tags.remove_tag(connection, tenant_id, tag, sorted({*remove} - {*add}))
            added = await tags.add_tag(connection, tenant_id, tag, sorted({*add}))
        return Tagged(added, removed, unknown)

    async def move(self, tenant_id: UUID, tag: str, to: str | None) -> Moved:
        """Give everybody who has a tag another one for it, or none; by chunks, so that repeating it goes on.

        Raises:
            NotFound: nobody has it.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            if not await tags.has_tag(connection, tenant_id, tag):
                raise NotFound("Nobody has this tag.")
        moved, limit = 0, time.monotonic() + SECONDS
        while to != tag and time.monotonic() < limit:
            async with self._database.tenant_transaction(tenant_id) as connection:
                people = await tags.people_tagged(connection, tenant_id, tag, CHUNK)
                if to is not None:
                    await tags.add_tag(connection, tenant_id, to, people)
                moved += await tags.remove_tag(connection, tenant_id, tag, people)
            if len(people) < CHUNK:
                return Moved(moved, done=True)
        return Moved(moved, done=to == tag)
