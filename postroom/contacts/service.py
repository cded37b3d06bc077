"""Contacts, as the API reads and writes them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from postroom.contacts import consent, repository
from postroom.contacts.consent import Consents
from postroom.contacts.person import Contact, Person
from postroom.contacts.tags import set_tags
from postroom.database.engine import Connection, Database
from postroom.errors import Invalid, NotFound
from postroom.policy.reconsidering import reconsidered
from postroom.subscriptions import events
from postroom.subscriptions.preference import Author

ATTRIBUTES_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Change:
    """What shall be different: `values` as they are called in `Person`; null members of its mappings are forgotten."""

    user_id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    consent: Consents = field(default_factory=dict)

    def made_to(self, contact: Contact) -> Person:
        """Return the person as they are afterwards; raises Invalid when there would be too much to know."""
        person = contact.person()
        values = dict(self.values)
        for name in ("addresses", "attributes"):
            if name in values:
                both = {**getattr(person, name), **values[name]}
                values[name] = {key: value for key, value in both.items() if value is not None}
        if len(json.dumps(values.get("attributes", {}), ensure_ascii=False).encode()) > ATTRIBUTES_BYTES:
            detail = f"Together there would be more than {ATTRIBUTES_BYTES} bytes of attributes."
            raise Invalid.at("/attributes", "attributes_too_large", detail)
        return replace(person, **values, consent=self.consent)


class Contacts:
    """People of one deployment, each seen by one tenant only; what is read or written is so in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: UUID, user_id: str) -> Contact:
        """Return a contact or raise NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            contact = await repository.contact_of(connection, tenant_id, user_id)
        if contact is None:
            raise _unknown()
        return contact

    async def page(
        self, tenant_id: UUID, filters: repository.Filters, window: tuple[str, int]
    ) -> tuple[Sequence[Contact], str | None]:
        """Return contacts by name, and the name the next page starts behind; `window` is where to start, how many."""
        after, limit = window
        async with self._database.tenant_transaction(tenant_id) as connection:
            found = await repository.contacts_after(connection, tenant_id, filters, (after, limit + 1))
        return found[:limit], found[limit - 1].user_id if len(found) > limit else None

    async def put(self, tenant_id: UUID, person: Person, author: Author) -> tuple[Contact, bool]:
        """Write a contact whole, so that writing it twice is writing it once; True when it is new.

        Only consent is added to what is known: forgetting it would subscribe again whoever had unsubscribed. Tags are
        of those who plan campaigns: a person written without any keeps theirs.
        """
        async with reconsidered(self._database, tenant_id, person.user_id) as connection:
            known, is_new = await repository.met_contact(connection, tenant_id, person.user_id)
            return await write(connection, (tenant_id, author), known, person), is_new

    async def change(self, tenant_id: UUID, change: Change, author: Author) -> Contact:
        """Change what was named, or raise NotFound."""
        async with reconsidered(self._database, tenant_id, change.user_id) as connection:
            known = await repository.contact_of(connection, tenant_id, change.user_id, lock=True)
            if known is None:
                raise _unknown()
            return await write(connection, (tenant_id, author), known, change.made_to(known))


async def write(connection: Connection, signed: tuple[UUID, Author], known: Contact, person: Person) -> Contact:
    """Write a person over what is known, and note what somebody may ask about; `signed` is whose and by whom."""
    tenant_id, author = signed
    after = consent.merged(known.consent, person.consent)
    note = events.Notebook(connection, tenant_id, person.user_id, author)
    for channel, old, new in consent.changes(known.consent, after):
        await note.consent(channel, old, new)
    if known.quiet_hours != person.quiet_hours:
        await note.quiet_hours(known.quiet_hours, person.quiet_hours)
    if person.tags is not None:
        await set_tags(connection, tenant_id, person.user_id, person.tags)
    return await repository.write_contact(connection, tenant_id, person, after)


def _unknown() -> NotFound:
    return NotFound("There is no such contact.")
