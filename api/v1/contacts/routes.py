"""Routes that write and read contacts."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.contacts.bodies import ContactBody, ContactChange, ContactsView, ContactView
from api.v1.fields import UserId, Word
from api.v1.parameters import PathUserId, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from postroom.contacts.repository import Filters
from postroom.subscriptions.preference import Author
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/contacts", tags=["contacts"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CONTACTS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.CONTACTS_WRITE))]

NEW: dict[int | str, dict[str, Any]] = {201: {"model": ContactView, "description": "The contact is new"}}


def filters(
    *,
    tag: Annotated[Word | None, Query(description="Only people who have it.", examples=["newsletter"])] = None,
    prefix: Annotated[UserId | None, Query(description="Only names that begin so.", examples=["user_1"])] = None,
) -> Filters:
    """Read the filters of the list."""
    return Filters(tag, prefix or "")


@router.get("", responses=refusals(), summary="List contacts")
async def list_contacts(
    caller: Reader, window: WindowQuery, asked: Annotated[Filters, Depends(filters)]
) -> ContactsView:
    """Contacts of the tenant, by user_id."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    question = f"contacts {asked.tag!r} {asked.prefix!r}"
    after = services.cursors.read_name(tenant_id, question, window.cursor)
    contacts, next_after = await services.contacts.page(tenant_id, asked, (after, window.limit))
    return ContactsView(
        items=[ContactView.of(contact) for contact in contacts],
        next_cursor=services.cursors.write_name(tenant_id, question, next_after),
    )


@router.put("/{user_id:path}", responses=refusals(*WITH_BODY) | NEW, summary="Write a contact")
async def write_contact(user_id: PathUserId, body: ContactBody, caller: Writer, response: Response) -> ContactView:
    """Replace a contact as a whole, or make it. Consent is added to what is known, the later word standing."""
    author = Author(caller.identity.key_id)
    contact, is_new = await caller.services.contacts.put(caller.identity.tenant_id, body.person(user_id), author)
    if is_new:
        response.status_code = HTTPStatus.CREATED
    return ContactView.of(contact)


@router.patch("/{user_id:path}", responses=refusals(404, *WITH_BODY), summary="Change a contact")
async def change_contact(user_id: PathUserId, body: ContactChange, caller: Writer) -> ContactView:
    """Change what is named; single addresses and attributes are forgotten by null."""
    author = Author(caller.identity.key_id)
    contact = await caller.services.contacts.change(caller.identity.tenant_id, body.change(user_id), author)
    return ContactView.of(contact)


@router.get("/{user_id:path}", responses=refusals(404), summary="Read a contact")
async def read_contact(user_id: PathUserId, caller: Reader) -> ContactView:
    """Return what is known of a person."""
    return ContactView.of(await caller.services.contacts.get(caller.identity.tenant_id, user_id))
