"""Whom a link speaks for, and about what, as the tenant knows it now."""

from dataclasses import dataclass

from postroom.contacts.repository import contact_of
from postroom.contracts.vocabulary import MessageClass
from postroom.database.engine import Connection
from postroom.errors import NotFound
from postroom.person_pages import repository
from postroom.person_pages.links import Bearer
from postroom.subscriptions.kind_repository import kind_of
from postroom.subscriptions.kinds import Kind
from postroom.subscriptions.repository import is_known
from postroom.subscriptions.service import Whose


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes to the person, and in which language the person reads, if that is known."""

    name: str
    language: str | None


async def person_of(connection: Connection, bearer: Bearer) -> Whose | None:
    """Return the person a link speaks for; None where there is an address alone, or the person has been erased."""
    if bearer.user_id is None:
        return None
    known = bearer.address_hash is None or await is_known(connection, bearer.tenant_id, bearer.user_id)
    return Whose(bearer.tenant_id, bearer.user_id) if known else None


async def offer_of(connection: Connection, bearer: Bearer) -> Kind | None:
    """Return the type a link unsubscribes from; None where it is all marketing.

    Only a type that is declared, and marketing, is one: what somebody is told under a name that may serve other ends
    too must go on.
    """
    if bearer.notification_type is None:
        return None
    kind = await kind_of(connection, bearer.tenant_id, bearer.notification_type)
    return kind if kind and kind.message_class is MessageClass.MARKETING else None


async def sender_of(connection: Connection, bearer: Bearer) -> Sender:
    """Return who stands behind a link; raises NotFound when they are gone."""
    name = await repository.tenant_name(connection, bearer.tenant_id)
    if name is None:
        raise NotFound("There is nobody at the other end of this link any more.")
    contact = await contact_of(connection, bearer.tenant_id, bearer.user_id) if bearer.user_id else None
    return Sender(name, contact.language if contact else None)
