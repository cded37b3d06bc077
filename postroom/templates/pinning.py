"""What a notification that speaks with a template is accepted with: a version that stays, variables that fit."""

from collections.abc import Iterable
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.errors import FieldError, Invalid
from postroom.templates.casting import Casting
from postroom.templates.resolving import resolve
from postroom.templates.using import Use
from postroom.templates.variables import Misfit, misfits

Recipient = tuple[UUID, str]  # whose tenant, and the text that tells them from others


async def pin(database: Database, use: Use, channels: tuple[ChannelKind, ...], recipient: Recipient) -> Casting:
    """Choose the version for one recipient and hold the variables to it.

    Raises:
        Invalid: nothing that is approved fits, or a variable is missing or does not fit.
    """
    tenant_id, name = recipient
    resolved = await resolve(database, tenant_id, use, channels)
    pinned = resolved.pick(name)
    refuse(misfits(pinned.declared, resolved.shared, use.variables))
    return Casting(pinned.template_id, pinned.version, use.variables, use.language)


def refuse(wrong: Iterable[Misfit]) -> None:
    """Refuse a request whose variables do not fit, with a pointer to each."""
    errors = [FieldError(f"/variables/{one.variable}", one.reason, one.detail) for one in wrong]
    if errors:
        codes = {error.code for error in errors}
        detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} variables are wrong."
        raise Invalid(detail, code=codes.pop() if len(codes) == 1 else Invalid.code, errors=errors)
