"""Contacts, as the API reads and writes them."""

from uuid import UUID

from postroom.contacts import repository
from postroom.contacts.models import Contact
from postroom.contacts.person import Person
from postroom.database.engine import Database
from postroom.errors import NotFound


class Contacts:
    """People of one deployment, each seen by one tenant only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: UUID, user_id: str) -> Contact:
        """Return a contact or raise NotFound."""
        async with self._database.tenant_session(tenant_id) as session:
            contact = await repository.contact_of(session, user_id)
        if contact is None:
            raise NotFound("There is no such contact.")
        return contact

    async def put(self, tenant_id: UUID, person: Person) -> tuple[Contact, bool]:
        """Write a contact whole, so that writing it twice is writing it once; True when it is new."""
        async with self._database.tenant_session(tenant_id) as session:
            return await repository.replace_contact(session, tenant_id, person)
