"""Routes of the addresses a tenant sends nothing to."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.parameters import NamedRequest, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.suppressions.bodies import (
    SUPPRESSION_EXAMPLE,
    AddressBody,
    CheckedView,
    NewSuppression,
    ScopeText,
    SuppressionList,
    SuppressionsView,
    SuppressionView,
    TakenView,
    WrittenView,
)
from postroom.contracts.vocabulary import ChannelKind
from postroom.identity import SUPPRESSION, parse_id
from postroom.suppressions.entry import Reason, Source
from postroom.suppressions.service import Filters, Written
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/suppressions", tags=["suppressions"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.SUPPRESSIONS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.SUPPRESSIONS_WRITE))]
SuppressionId = Annotated[str, Path(description="The id of a suppression.", examples=[SUPPRESSION_EXAMPLE])]
NEW: dict[int | str, dict[str, Any]] = {201: {"model": WrittenView, "description": "Something of it is new"}}


def filters(
    *,
    channel: Annotated[ChannelKind | None, Query(examples=["email"])] = None,
    reason: Annotated[Reason | None, Query(examples=["bounced"])] = None,
    scope: Annotated[ScopeText | None, Query(examples=["marketing"])] = None,
) -> Filters:
    """Read the filters of the list."""
    return Filters(channel, reason, scope)


@router.post("", responses=refusals(409, *WITH_BODY) | NEW, summary="Suppress an address, or block a person")
async def suppress(body: NewSuppression, caller: Writer, key: NamedRequest, response: Response) -> WrittenView:
    """Send nothing there any more, or nothing of one class, type or group; what waits there is skipped.

    What is suppressed already stays as it was. With a `user_id`, the person's inbox and the e-mail address that is
    known of them now.
    """
    body.check()
    suppressions, tenant_id = caller.services.suppressions, caller.identity.tenant_id
    if body.user_id is not None:
        like = body.about(ChannelKind.IN_APP, body.user_id)
        written = await suppressions.block(tenant_id, (body.user_id, body.channel), like, key)
        caller.services.bell.ring()
    else:
        entry = body.about(ChannelKind(str(body.channel)), str(body.address))
        written = await suppressions.add(tenant_id, [entry], Source.API, key)
    _tell(response, written)
    return WrittenView.of(written)


@router.post("/bulk", responses=refusals(409, *WITH_BODY), summary="Suppress a list of addresses")
async def suppress_list(body: SuppressionList, caller: Writer, key: NamedRequest, response: Response) -> TakenView:
    """Take over a list of up to 1,000 addresses: all of it, or nothing when one of them is none."""
    tenant_id = caller.identity.tenant_id
    written = await caller.services.suppressions.add(tenant_id, body.asked(), Source.API, key)
    response.headers.update(replay_header(replayed=written.replayed))
    return TakenView.of(written)


@router.post("/check", responses=refusals(*WITH_BODY), summary="Ask what is suppressed of an address")
async def check(body: AddressBody, caller: Reader) -> CheckedView:
    """Return every entry about an address; a POST, so that no address stands in a URL."""
    NewSuppression(channel=body.channel, address=body.address).check()
    return CheckedView.of(
        await caller.services.suppressions.check(caller.identity.tenant_id, body.channel, body.address)
    )


@router.get("", responses=refusals(), summary="List suppressions")
async def list_suppressions(
    caller: Reader, window: WindowQuery, asked: Annotated[Filters, Depends(filters)]
) -> SuppressionsView:
    """Entries of the tenant, newest first: hashes, scopes, reasons and where they came from."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    question = f"suppressions {asked.channel} {asked.reason} {asked.scope}"
    after = services.cursors.read(tenant_id, question, window.cursor)
    page = await services.suppressions.page(tenant_id, asked, (after, window.limit))
    return SuppressionsView(
        items=[SuppressionView.of(one) for one in page.items],
        next_cursor=services.cursors.write(tenant_id, question, page.next_after),
    )


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Delete a suppression")
async def delete_suppression(id: SuppressionId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Allow what the entry forbade, an erased person's address too; what was skipped meanwhile stays skipped."""
    await caller.services.suppressions.remove(caller.identity.tenant_id, parse_id(SUPPRESSION, id))


def _tell(response: Response, written: Written) -> None:
    if written.new:
        response.status_code = HTTPStatus.CREATED
    response.headers.update(replay_header(replayed=written.replayed))
