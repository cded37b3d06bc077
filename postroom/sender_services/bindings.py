"""Which keys may use which services: one that is bound serves the keys it is bound to, any other serves all."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from postroom.database.engine import Database
from postroom.errors import Invalid, NotFound
from postroom.sender_services import repository
from postroom.sender_services.models import SenderService
from postroom.sender_services.service import MOST


class BindingAction(StrEnum):
    """What shall become of a binding."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Access:
    """A service that a key may use; `bound` when it is one of those it was bound to."""

    service: SenderService
    bound: bool


class ServiceBindings:
    """Bindings of one deployment; every call is one transaction of one tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_key(self, tenant_id: UUID, api_key_id: UUID) -> Sequence[Access]:
        """Return what a key may use, newest first.

        Raises:
            NotFound: the tenant has no such key.
        """
        async with self._database.tenant_session(tenant_id) as session:
            if not await repository.key_exists(session, api_key_id):
                raise NotFound("There is no such key.")
            services = await repository.services(session, (None, MOST))
            pairs = await repository.bindings(session)
        restricted = {service for service, _ in pairs}
        mine = {service for service, key in pairs if key == api_key_id}
        return [Access(one, one.id in mine) for one in services if one.id in mine or one.id not in restricted]

    async def change(
        self, tenant_id: UUID, api_key_id: UUID, changes: Sequence[tuple[UUID, BindingAction]]
    ) -> Sequence[Access]:
        """Bind a key to services or take it off them: all of it, or nothing.

        Raises:
            NotFound: the tenant has no such key.
            Invalid: the tenant has no such service, with a pointer.
        """
        async with self._database.tenant_session(tenant_id) as session:
            if not await repository.key_exists(session, api_key_id):
                raise NotFound("There is no such key.")
            for at, (service_id, action) in enumerate(changes):
                if await repository.service_of(session, service_id) is None:
                    detail = "There is no such sender service."
                    raise Invalid.at(f"/{at}/service_id", "sender_service_not_found", detail)
                if action is BindingAction.REMOVE:
                    await repository.unbind(session, service_id, api_key_id)
                else:
                    named = {"service_id": service_id, "api_key_id": api_key_id, "tenant_id": tenant_id}
                    await repository.bind(session, named)
            await repository.hurry_tasks(session)
        return await self.of_key(tenant_id, api_key_id)
