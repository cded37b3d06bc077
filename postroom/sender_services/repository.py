"""Statements about sender services and their bindings, inside a tenant's session."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.sender_services.models import SenderService, ServiceBinding
from postroom.sender_services.waking import HURRY
from postroom.tenants.models import ApiKey

Values = Mapping[str, Any]

HURRIED = text(HURRY)
ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
WANTED = text(
    "SELECT EXISTS (SELECT FROM campaign_tasks WHERE state IN ('in_review', 'scheduled', 'sending', 'paused') "
    "AND sender -> 'services' ? :service)"
)


async def service_of(session: AsyncSession, service_id: UUID, *, lock: bool = False) -> SenderService | None:
    """Return one service, locked until the end of the transaction when asked for."""
    statement = select(SenderService).where(SenderService.id == service_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    return (await session.scalars(statement)).one_or_none()


async def services(session: AsyncSession, window: tuple[UUID | None, int]) -> Sequence[SenderService]:
    """Return services, newest first; `window` is the id to start behind, and how many."""
    after, count_ = window
    statement = select(SenderService).order_by(SenderService.id.desc()).limit(count_)
    if after is not None:
        statement = statement.where(SenderService.id < after)
    return (await session.scalars(statement)).all()


async def count(session: AsyncSession, tenant_id: UUID) -> int:
    """Return how many services the tenant has; nobody else adds one to them until the transaction ends."""
    await session.execute(ALONE, {"name": f"sender_services {tenant_id}"})
    return (await session.scalars(select(func.count()).select_from(SenderService))).one()


async def add(session: AsyncSession, values: Values) -> SenderService | None:
    """Insert a service; None when the tenant has one of this name."""
    statement = insert(SenderService).values(**values).on_conflict_do_nothing().returning(SenderService)
    return (await session.scalars(statement)).one_or_none()


async def change(session: AsyncSession, service_id: UUID, values: Values) -> SenderService:
    """Change a service that is locked."""
    statement = (
        update(SenderService)
        .where(SenderService.id == service_id)
        .values(**values, updated_at=func.now())
        .returning(SenderService)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).one()


async def remove(session: AsyncSession, service_id: UUID) -> None:
    """Delete a service and its bindings."""
    await session.execute(delete(SenderService).where(SenderService.id == service_id))


async def hurry_tasks(session: AsyncSession) -> None:
    """Have the tenant's tasks that wait for room try again: there may be some now. The last lock of a transaction."""
    await session.execute(HURRIED)


async def is_wanted(session: AsyncSession, service: str) -> bool:
    """Whether a task that is not over names the service, by its public id."""
    return bool((await session.scalars(WANTED, {"service": service})).one())


async def key_exists(session: AsyncSession, api_key_id: UUID) -> bool:
    """Whether the tenant has this key."""
    found = await session.scalars(select(ApiKey.id).where(ApiKey.id == api_key_id))
    return found.one_or_none() is not None


async def bindings(session: AsyncSession) -> Sequence[tuple[UUID, UUID]]:
    """Return who is bound to what: pairs of service and key."""
    rows = await session.execute(select(ServiceBinding.service_id, ServiceBinding.api_key_id))
    return [(service, key) for service, key in rows]


async def bind(session: AsyncSession, values: Values) -> None:
    """Bind a key to a service, if it is not."""
    await session.execute(insert(ServiceBinding).values(**values).on_conflict_do_nothing())


async def unbind(session: AsyncSession, service_id: UUID, api_key_id: UUID) -> None:
    """Take a key off a service, if it is there."""
    named = (ServiceBinding.service_id == service_id, ServiceBinding.api_key_id == api_key_id)
    await session.execute(delete(ServiceBinding).where(*named))
