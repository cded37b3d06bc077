"""Routes of digests: what waits for whom, until when, and closing one before its time."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.digests.views import DIGEST_EXAMPLE, DigestsView, DigestView, WholeDigestView
from api.v1.fields import UserId
from api.v1.parameters import WindowQuery
from api.v1.refusals import refusals
from postroom.digests.service import DigestState, Filters
from postroom.identity import DIGEST, parse_id
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/digests", tags=["digests"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.NOTIFICATIONS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.NOTIFICATIONS_WRITE))]
DigestId = Annotated[str, Path(description="The id of a digest.", examples=[DIGEST_EXAMPLE])]


@router.get("", responses=refusals(), summary="List digests")
async def list_digests(
    caller: Reader,
    window: WindowQuery,
    user_id: Annotated[UserId | None, Query(examples=["user_123"])] = None,
    state: Annotated[DigestState | None, Query(examples=["open"])] = None,
) -> DigestsView:
    """Digests of the tenant or of one person, newest first."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    filters = Filters(user_id, state)
    question = f"digests {filters}"
    after = services.cursors.read(tenant_id, question, window.cursor)
    page = await services.digests.page(tenant_id, filters, (after, window.limit))
    return DigestsView(
        items=[DigestView.of(digest) for digest in page.items],
        next_cursor=services.cursors.write(tenant_id, question, page.next_after),
    )


@router.get("/{id}", responses=refusals(404), summary="Read a digest")
async def read_digest(id: DigestId, caller: Reader) -> WholeDigestView:  # noqa: A002 - the path's name
    """A digest and the first hundred notifications that came into it."""
    digest, items = await caller.services.digests.whole(caller.identity.tenant_id, parse_id(DIGEST, id))
    return WholeDigestView.whole(digest, items)


@router.post("/{id}/close", status_code=HTTPStatus.ACCEPTED, responses=refusals(404, 409), summary="Close a digest now")
async def close_digest(id: DigestId, caller: Writer) -> DigestView:  # noqa: A002 - the path's name
    """Tell what waits in it without waiting for its time; its workflow closes it within seconds."""
    return DigestView.of(await caller.services.digests.close(caller.identity.tenant_id, parse_id(DIGEST, id)))
