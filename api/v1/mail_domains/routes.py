"""Routes of the domains that a tenant's mail says it is from."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.mail_domains.bodies import DOMAIN_EXAMPLE, DomainBody, DomainsView, DomainView
from api.v1.parameters import NamedAction, NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from postroom.identity import MAIL_DOMAIN, parse_id
from postroom.mail_domains.checking import Standing
from postroom.mail_domains.records import House
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/mail-domains", tags=["mail domains"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.SENDERS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.SENDERS_WRITE))]
DomainId = Annotated[str, Path(description="The id of a mail domain.", examples=[DOMAIN_EXAMPLE])]
QUESTION = "mail domains"


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(409, *WITH_BODY), summary="Declare a mail domain")
async def add_domain(body: DomainBody, caller: Writer, key: NamedCall, response: Response) -> DomainView:
    """Make a domain's keys and say what to publish in DNS; its mail is signed as soon as DNS was seen to show them."""
    standing = await caller.services.mail_domains.add(caller.identity.tenant_id, body.asked(), key)
    return _shown(caller, standing, response)


@router.get("", responses=refusals(), summary="List mail domains")
async def list_domains(caller: Reader, window: WindowQuery) -> DomainsView:
    """Mail domains of the tenant, newest first."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    after = services.cursors.read(tenant_id, QUESTION, window.cursor)
    page = await services.mail_domains.page(tenant_id, (after, window.limit))
    return DomainsView(
        items=[_view(caller, standing) for standing in page.items],
        next_cursor=services.cursors.write(tenant_id, QUESTION, page.next_after),
    )


@router.get("/{id}", responses=refusals(404), summary="Read a mail domain")
async def read_domain(id: DomainId, caller: Reader) -> DomainView:  # noqa: A002 - the path's name
    """Return a domain: what to publish, and what the last look at DNS found."""
    return _view(caller, await caller.services.mail_domains.get(caller.identity.tenant_id, _id(id)))


@router.post("/{id}/check", responses=refusals(404), summary="Look at DNS now")
async def check_domain(id: DomainId, caller: Writer) -> DomainView:  # noqa: A002 - the path's name
    """Ask DNS now; keys that it shows begin to sign, and a state that nobody answered for stays."""
    return _view(caller, await caller.services.domain_checks.check(caller.identity.tenant_id, _id(id)))


@router.post("/{id}/rotate-key", responses=refusals(404, 409), summary="Make the next key")
async def rotate_key(
    id: DomainId,  # noqa: A002 - the path's name
    caller: Writer,
    key: NamedAction,
    response: Response,
) -> DomainView:
    """Make a new key under a new selector; the old one signs until DNS shows the new one."""
    standing = await caller.services.mail_domains.rotate(caller.identity.tenant_id, _id(id), key)
    return _shown(caller, standing, response)


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Delete a mail domain")
async def delete_domain(id: DomainId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Delete a domain and its keys; mail from it is not signed any more."""
    await caller.services.mail_domains.remove(caller.identity.tenant_id, _id(id))


def _id(text: str) -> UUID:
    return parse_id(MAIL_DOMAIN, text)


def _view(caller: Caller, standing: Standing) -> DomainView:
    settings = caller.services.settings
    house = House(settings.spf_include, settings.bounce_host)
    return DomainView.of(standing, house, caller.services.timing.key_overlap)


def _shown(caller: Caller, standing: Standing, response: Response) -> DomainView:
    response.headers.update(replay_header(replayed=standing.replayed))
    return _view(caller, standing)
