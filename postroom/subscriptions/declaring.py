"""Notification types, as the API reads and writes them."""

from collections.abc import Sequence
from uuid import UUID

from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.subscriptions import kind_repository as repository
from postroom.subscriptions.classes import Classes
from postroom.subscriptions.kinds import Kind, NewKind

MOST = 500  # types of one tenant: people choose among them, and a process remembers their classes


class Kinds:
    """Types of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database, classes: Classes) -> None:
        self._database = database
        self._classes = classes

    async def all(self, tenant_id: UUID) -> Sequence[Kind]:
        """Return the types of a tenant, by group and name."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await repository.kinds_of(connection, tenant_id)

    async def get(self, tenant_id: UUID, name: str) -> Kind:
        """Return a type or raise NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            kind = await repository.kind_of(connection, tenant_id, name)
        if kind is None:
            raise _unknown()
        return kind

    async def put(self, tenant_id: UUID, new: NewKind) -> tuple[Kind, bool]:
        """Declare a type whole, so that declaring it twice is declaring it once; True when it is new.

        Raises:
            Conflict: it has another class. People answered to what it was: an opt-out of an offer must not hold back
                an invoice, and a mail that was promised as one must not become an offer.
            Invalid: the tenant has enough types.
        """
        try:
            async with self._database.tenant_transaction(tenant_id) as connection:
                await repository.alone(connection, tenant_id)
                classes = await repository.classes_of(connection, tenant_id)
                known = classes.get(new.name)
                if known is not None and known is not new.message_class:
                    raise Conflict(f"This type is {known}; declare another one.", code="class_is_fixed")
                if known is None and len(classes) >= MOST:
                    raise Invalid(f"A tenant has at most {MOST} types.", code="too_many_notification_types")
                return await repository.write_kind(connection, tenant_id, new), known is None
        finally:
            self._classes.forget(tenant_id)

    async def remove(self, tenant_id: UUID, name: str) -> None:
        """Forget a type, and nothing that people said about it; raises NotFound."""
        try:
            async with self._database.tenant_transaction(tenant_id) as connection:
                if not await repository.remove_kind(connection, tenant_id, name):
                    raise _unknown()
        finally:
            self._classes.forget(tenant_id)


def _unknown() -> NotFound:
    return NotFound("There is no such notification type.")
