"""What a notice names must be there when it is written: an approved template, a type of its class, an endpoint."""

from uuid import UUID

from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.schedules.notice import Notice, below
from postroom.subscriptions.kind_repository import classes_of
from postroom.templates.pinning import refuse
from postroom.templates.resolving import Resolved, resolve
from postroom.templates.variables import misfits
from postroom.webhooks.addressing import require_endpoint


async def check_references(database: Database, tenant_id: UUID, notice: Notice, place: str) -> None:
    """Refuse a notice whose template, class or endpoint is not there; `place` is where in the body it stands.

    Raises:
        Invalid: with a pointer to the field.
    """
    try:
        await resolve_for_all(database, tenant_id, notice)
        await _check_class(database, tenant_id, notice)
        await _check_endpoint(database, tenant_id, notice)
    except Invalid as error:
        raise below(place, error) from None


async def check_names(database: Database, tenant_id: UUID, notice: Notice, place: str) -> None:
    """Do the same where the variables are given later. Raises as `check_references`."""
    try:
        if notice.use is not None:
            await resolve(database, tenant_id, notice.use, notice.request().channels)
        await _check_class(database, tenant_id, notice)
        await _check_endpoint(database, tenant_id, notice)
    except Invalid as error:
        raise below(place, error) from None


async def resolve_for_all(database: Database, tenant_id: UUID, notice: Notice) -> Resolved | None:
    """Find the newest approved version of what a notice speaks with; None when it has words of its own.

    Raises:
        Invalid: there is none, it is for another channel, or the variables do not fit.
    """
    if (use := notice.use) is None:
        return None
    found = await resolve(database, tenant_id, use, notice.request().channels)
    for choice in found.choices:
        refuse(misfits(choice.declared, found.shared, use.variables))
    return found


async def _check_class(database: Database, tenant_id: UUID, notice: Notice) -> None:
    if not notice.names_class:
        return
    async with database.tenant_transaction(tenant_id) as connection:
        settled = notice.classed(await classes_of(connection, tenant_id))
    if settled.message_class != notice.message_class:
        detail = f"The type {notice.notification_type} is {settled.message_class}; leave the class out."
        raise Invalid.at("/class", "class_conflicts_with_type", detail)


async def _check_endpoint(database: Database, tenant_id: UUID, notice: Notice) -> None:
    if url := notice.request().webhook_url:
        await require_endpoint(database, tenant_id, url)
