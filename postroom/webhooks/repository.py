"""Statements about webhook endpoints, inside a tenant's session or transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.webhooks.models import WebhookEndpoint

Values = Mapping[str, Any]

ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def endpoint_of(session: AsyncSession, endpoint_id: UUID, *, lock: bool = False) -> WebhookEndpoint | None:
    """Return one endpoint, locked until the end of the transaction when asked for."""
    statement = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
    if lock:
        statement = statement.with_for_update()
    return (await session.scalars(statement)).one_or_none()


async def endpoints(session: AsyncSession, window: tuple[UUID | None, int]) -> Sequence[WebhookEndpoint]:
    """Return endpoints, newest first; `window` is the id to start behind, and how many."""
    after, count = window
    statement = select(WebhookEndpoint).order_by(WebhookEndpoint.id.desc()).limit(count)
    if after is not None:
        statement = statement.where(WebhookEndpoint.id < after)
    return (await session.scalars(statement)).all()


async def count(session: AsyncSession, tenant_id: UUID) -> int:
    """Return how many endpoints the tenant has; nobody else adds one to them until the transaction ends."""
    await session.execute(ALONE, {"name": f"webhook_endpoints {tenant_id}"})
    return (await session.scalars(select(func.count()).select_from(WebhookEndpoint))).one()


async def add(session: AsyncSession, values: Values) -> WebhookEndpoint | None:
    """Insert an endpoint; None when the tenant has one with this URL."""
    statement = insert(WebhookEndpoint).values(**values).on_conflict_do_nothing().returning(WebhookEndpoint)
    return (await session.scalars(statement)).one_or_none()


async def change(session: AsyncSession, endpoint_id: UUID, values: Values) -> WebhookEndpoint | None:
    """Change an endpoint; None when the tenant has no such."""
    statement = (
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint_id)
        .values(**values, updated_at=func.now())
        .returning(WebhookEndpoint)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).one_or_none()


async def remove(session: AsyncSession, endpoint_id: UUID) -> bool:
    """Delete an endpoint; False when the tenant has no such."""
    gone = await session.scalars(
        delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).returning(WebhookEndpoint.id)
    )
    return gone.one_or_none() is not None
