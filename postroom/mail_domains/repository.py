"""Statements about mail domains and their keys, inside a tenant's session."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.mail_domains.models import DomainKey, KeyState, MailDomain

Values = Mapping[str, Any]

ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def domain_of(session: AsyncSession, domain_id: UUID, *, lock: bool = False) -> MailDomain | None:
    """Return one domain, locked until the end of the transaction when asked for."""
    statement = select(MailDomain).where(MailDomain.id == domain_id).execution_options(populate_existing=True)
    return (await session.scalars(statement.with_for_update() if lock else statement)).one_or_none()


async def domains(session: AsyncSession, window: tuple[UUID | None, int]) -> Sequence[MailDomain]:
    """Return domains, newest first; `window` is the id to start behind, and how many."""
    after, count = window
    statement = select(MailDomain).order_by(MailDomain.id.desc()).limit(count)
    if after is not None:
        statement = statement.where(MailDomain.id < after)
    return (await session.scalars(statement)).all()


async def keys_of(session: AsyncSession, domain_ids: Sequence[UUID]) -> Sequence[DomainKey]:
    """Return the keys of some domains, oldest first."""
    statement = select(DomainKey).where(DomainKey.domain_id.in_(domain_ids)).order_by(DomainKey.id)
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def count(session: AsyncSession, tenant_id: UUID) -> int:
    """Return how many domains the tenant has; nobody else adds one to them until the transaction ends."""
    await session.execute(ALONE, {"name": f"mail_domains {tenant_id}"})
    return (await session.scalars(select(func.count()).select_from(MailDomain))).one()


async def add(session: AsyncSession, values: Values) -> MailDomain | None:
    """Insert a domain; None when the tenant has it already."""
    statement = insert(MailDomain).values(**values).on_conflict_do_nothing().returning(MailDomain)
    return (await session.scalars(statement)).one_or_none()


async def add_keys(session: AsyncSession, keys: Sequence[Values]) -> None:
    """Insert keys that wait to be published."""
    await session.execute(insert(DomainKey), [dict(key) for key in keys])


async def change(session: AsyncSession, domain_id: UUID, values: Values) -> None:
    """Change a domain."""
    await session.execute(update(MailDomain).where(MailDomain.id == domain_id).values(**values, updated_at=func.now()))


async def let_sign(session: AsyncSession, key: DomainKey) -> None:
    """Let a key sign from now on; the one it replaces loses its private half."""
    over = {"state": KeyState.RETIRED, "secret": None, "secret_key_id": None, "retired_at": func.now()}
    same = (DomainKey.domain_id == key.domain_id, DomainKey.algorithm == key.algorithm)
    await session.execute(update(DomainKey).where(*same, DomainKey.state == KeyState.ACTIVE).values(**over))
    await session.execute(
        update(DomainKey).where(DomainKey.id == key.id).values(state=KeyState.ACTIVE, activated_at=func.now())
    )


async def forget_keys(session: AsyncSession, domain_id: UUID, overlap: timedelta) -> None:
    """Delete the keys that were replaced so long ago that no mail they signed is on its way."""
    old = DomainKey.retired_at < func.now() - overlap
    await session.execute(delete(DomainKey).where(DomainKey.domain_id == domain_id, old))


async def remove(session: AsyncSession, domain_id: UUID) -> bool:
    """Delete a domain and its keys; False when the tenant has no such."""
    gone = await session.scalars(delete(MailDomain).where(MailDomain.id == domain_id).returning(MailDomain.id))
    return gone.one_or_none() is not None
