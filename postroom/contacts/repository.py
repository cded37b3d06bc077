"""Statements about contacts, inside a tenant's session."""

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from postroom.contacts.models import Contact
from postroom.contacts.person import Person


async def contact_of(session: AsyncSession, user_id: str) -> Contact | None:
    """Return a person's contact."""
    return (await session.scalars(select(Contact).where(Contact.user_id == user_id))).one_or_none()


async def replace_contact(session: AsyncSession, tenant_id: UUID, person: Person) -> tuple[Contact, bool]:
    """Write a contact whole; the second value tells whether it is new."""
    content: dict[str, Any] = {
        "addresses": dict(person.addresses),
        "time_zone": person.time_zone,
        "language": person.language,
    }
    statement: ReturningInsert[Contact, bool] = (
        insert(Contact)
        .values(tenant_id=tenant_id, user_id=person.user_id, **content)
        .on_conflict_do_update(
            index_elements=[Contact.tenant_id, Contact.user_id], set_={**content, "updated_at": func.now()}
        )
        .returning(Contact, literal_column("(xmax = 0)", Boolean))
    )
    contact, is_new = (await session.execute(statement)).one()
    return contact, is_new
