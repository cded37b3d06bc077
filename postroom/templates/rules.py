"""Whether a tenant's templates need a second pair of eyes; they do unless the tenant has said otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.templates import repository
from postroom.templates.records import Event
from postroom.tenants.choices import read_choice, write_choice
from postroom.tenants.gate import Identity

CHOICE = "review"
SWITCHED = {True: "review_switched_on", False: "review_switched_off"}


@dataclass(frozen=True, slots=True)
class Rules:
    """Review rules of one deployment's tenants; every call is one transaction."""

    database: Database

    async def required(self, tenant_id: UUID) -> bool:
        """Tell whether somebody else must approve."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            return await review_required(connection, tenant_id)

    async def switch(self, who: Identity, *, required: bool) -> None:
        """Switch review on or off; what was saved before stays as it is."""
        place: dict[str, Any] = {"tenant_id": who.tenant_id, "id": None, "version": None, "key_id": who.key_id}
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            await write_choice(connection, who.tenant_id, CHOICE, {"required": required})
            await repository.note(connection, place, SWITCHED[required])

    async def events(self, tenant_id: UUID, window: repository.Window) -> Sequence[Event]:
        """Return who switched what, newest first."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            return await repository.events_of(connection, tenant_id, None, window)


async def review_required(connection: Connection, tenant_id: UUID) -> bool:
    """Tell whether somebody else must approve, inside a transaction."""
    choice = await read_choice(connection, tenant_id, CHOICE)
    return choice is None or bool(choice["required"])
