"""Sender services as the API reads and writes them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import SENDER_SERVICE, new_id, public_id
from postroom.notifications.naming import made_before
from postroom.notifications.request import IdempotencyKey
from postroom.paging import Page
from postroom.sender_services import repository
from postroom.sender_services.freezing import freeze, thaw
from postroom.sender_services.models import FrozenBy, SenderService, ServiceStatus
from postroom.sender_services.terms import Terms
from postroom.sender_services.usage import Usage, usage_of
from postroom.tenants.gate import Identity
from postroom.tenants.secrets import Seal, Sealed

MOST = 100  # services of one tenant


@dataclass(frozen=True, slots=True)
class Made:
    """A service, and whether an earlier request under the same name made it."""

    service: SenderService
    replayed: bool = False


class SenderServices:
    """Services of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database, seal: Seal, *, public_only: bool) -> None:
        self._database = database
        self._seal = seal
        self._public_only = public_only

    async def add(self, identity: Identity, terms: Terms, key: IdempotencyKey | None) -> Made:
        """Make a service.

        Raises:
            Invalid: something of the terms cannot be, or the tenant has enough services.
            Conflict: the tenant has a service of this name.
        """
        tenant_id, service_id = identity.tenant_id, new_id()
        values = terms.columns(terms.password, public_only=self._public_only)
        values |= {"id": service_id, "tenant_id": tenant_id, "created_by": identity.key_id}
        values |= {"warm_up_since": terms.warm_up_since(None), **self._sealed(tenant_id, service_id, terms.password)}
        async with self._database.tenant_session(tenant_id) as session:
            if earlier := await made_before(session, tenant_id, key, service_id):
                return Made(await found(session, earlier), replayed=True)
            if await repository.count(session, tenant_id) >= MOST:
                raise Invalid(f"A tenant has at most {MOST} sender services.", code="too_many_sender_services")
            service = await repository.add(session, values)
            if service is None:
                raise _taken()
            await session.refresh(service)
            await repository.hurry_tasks(session)
        return Made(service)

    async def get(self, tenant_id: UUID, service_id: UUID) -> SenderService:
        """Return a service or raise NotFound."""
        async with self._database.tenant_session(tenant_id) as session:
            return await found(session, service_id)

    async def page(self, tenant_id: UUID, window: tuple[UUID | None, int]) -> Page[SenderService]:
        """Return services, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            rows = await repository.services(session, (after, limit + 1))
        return Page(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)

    async def replace(self, tenant_id: UUID, service_id: UUID, terms: Terms) -> SenderService:
        """Give a service other terms, and let those try again who wait for room.

        How it fares stays as it is; but one that its errors froze is tried at once if it leads elsewhere, or has
        another password.

        Raises:
            NotFound: the tenant has no such service.
            Invalid, Conflict: as `add`; also when it shall lead elsewhere and the password is not given again.
        """
        try:
            async with self._database.tenant_session(tenant_id) as session:
                known = await found(session, service_id, lock=True)
                changed = await repository.change(session, service_id, self._changed(known, terms))
                await repository.hurry_tasks(session)
                return changed
        except IntegrityError:
            raise _taken() from None

    async def remove(self, tenant_id: UUID, service_id: UUID) -> None:
        """Delete a service; mail on its way through it is not touched.

        Raises:
            Conflict: a task that is not over names it.
        """
        async with self._database.tenant_session(tenant_id) as session:
            await found(session, service_id, lock=True)
            if await repository.is_wanted(session, public_id(SENDER_SERVICE, service_id)):
                detail = "A task that is not over names this service; freeze it instead."
                raise Conflict(detail, code="sender_service_in_use")
            await repository.remove(session, service_id)
            await repository.hurry_tasks(session)

    async def set_status(self, tenant_id: UUID, service_id: UUID, status: ServiceStatus) -> SenderService:
        """Freeze a service until it is thawed by hand, or thaw it now; what has the status already stays as it is.

        Tasks that waited for it go on.

        Raises:
            NotFound: the tenant has no such service.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            await (freeze if status is ServiceStatus.FROZEN else thaw)(connection, service_id)
        return await self.get(tenant_id, service_id)

    async def usage(self, tenant_id: UUID, service_id: UUID) -> Usage:
        """Return what is used of a service's quotas.

        Raises:
            NotFound: the tenant has no such service.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            usage = await usage_of(connection, service_id)
        if usage is None:
            raise unknown()
        return usage

    def _changed(self, known: SenderService, terms: Terms) -> dict[str, Any]:
        password = terms.password
        if password is None and known.secret is not None and known.secret_key_id is not None:
            if not terms.leads_where(known):
                detail = "A password is not taken to another place; give it again."
                raise Invalid.at("/password", "password_required", detail)
            sealed = Sealed(known.secret_key_id, known.secret)
            password = self._seal.open(sealed, tenant_id=known.tenant_id, row_id=known.id)
        values = terms.columns(password, public_only=self._public_only)
        values |= {"warm_up_since": terms.warm_up_since(known)}
        if known.frozen_by == FrozenBy.HEALTH and (terms.password is not None or not terms.leads_where(known)):
            values |= {"probe_at": func.now()}
        return values | self._sealed(known.tenant_id, known.id, password)

    def _sealed(self, tenant_id: UUID, service_id: UUID, password: str | None) -> dict[str, Any]:
        if password is None:
            return {"secret": None, "secret_key_id": None}
        sealed = self._seal.seal(password, tenant_id=tenant_id, row_id=service_id)
        return {"secret": sealed.content, "secret_key_id": sealed.key_id}


async def found(session: AsyncSession, service_id: UUID, *, lock: bool = False) -> SenderService:
    """Return a service or raise NotFound."""
    service = await repository.service_of(session, service_id, lock=lock)
    if service is None:
        raise unknown()
    return service


def unknown() -> NotFound:
    """Say that there is no such service."""
    return NotFound("There is no such sender service.")


def _taken() -> Conflict:
    return Conflict("There is a sender service of this name already.", code="name_taken")
