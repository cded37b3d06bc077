"""Routes that ask whom a rule finds, and whom a message would reach of them."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Caller, Key
from api.patience import CountingRoute
from api.v1.audiences.bodies import AudienceBody, AudiencesView, AudienceView, CountView, SampleView, SavedBody
from api.v1.fields import Word
from api.v1.parameters import WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/audiences", tags=["audiences"], route_class=CountingRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_WRITE))]
AudienceName = Annotated[Word, Path(description="The name of a saved audience.", examples=["active customers"])]
NEW: dict[int | str, dict[str, Any]] = {201: {"model": AudienceView, "description": "The audience is new"}}
QUESTION = "audiences"


@router.post("/count", responses=refusals(*WITH_BODY), summary="Count the people of a rule")
async def count_audience(body: AudienceBody, caller: Reader) -> CountView:
    """Tell how many people a rule finds now, and how many of them such a message would not reach, by reason.

    The count is exact. Quiet hours and caps exclude nobody: they only make a message wait.
    """
    return CountView.of(await caller.services.audiences.count(caller.identity.tenant_id, body.question()))


@router.post("/sample", responses=refusals(*WITH_BODY), summary="Look at some people of a rule")
async def sample_audience(body: AudienceBody, caller: Reader) -> SampleView:
    """Return the first 20 people a rule finds, by user_id, and whether such a message would reach each."""
    return SampleView.of(await caller.services.audiences.sample(caller.identity.tenant_id, body.question()))


@router.get("", responses=refusals(), summary="List saved audiences")
async def list_audiences(caller: Reader, window: WindowQuery) -> AudiencesView:
    """Saved audiences of the tenant, by name."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    after = services.cursors.read_name(tenant_id, QUESTION, window.cursor)
    found, next_after = await services.saved_audiences.page(tenant_id, (after, window.limit))
    return AudiencesView(
        items=[AudienceView.of(one) for one in found],
        next_cursor=services.cursors.write_name(tenant_id, QUESTION, next_after),
    )


@router.put("/{name}", responses=refusals(*WITH_BODY) | NEW, summary="Save an audience")
async def save_audience(name: AudienceName, body: SavedBody, caller: Writer, response: Response) -> AudienceView:
    """Give a rule a name, or another rule to a name. Other audiences it names are copied into it as they stand now."""
    saved = caller.services.saved_audiences
    audience, is_new = await saved.put(caller.identity.tenant_id, name, body.rule, body.description)
    if is_new:
        response.status_code = HTTPStatus.CREATED
    return AudienceView.of(audience)


@router.get("/{name}", responses=refusals(404), summary="Read a saved audience")
async def read_audience(name: AudienceName, caller: Reader) -> AudienceView:
    """Return a saved audience."""
    return AudienceView.of(await caller.services.saved_audiences.get(caller.identity.tenant_id, name))


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Delete a saved audience")
async def delete_audience(name: AudienceName, caller: Writer) -> None:
    """Delete a saved audience; what named it has its rule already."""
    await caller.services.saved_audiences.remove(caller.identity.tenant_id, name)
