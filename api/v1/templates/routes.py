"""Routes of what a tenant says: templates, their versions, and what became of them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.fields import Word
from api.v1.numbered import after_id, after_number, shown
from api.v1.parameters import NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.templates.bodies import TemplateBody
from api.v1.templates.views import (
    EventsView,
    EventView,
    ResultsView,
    SavedView,
    TemplateSummaryView,
    TemplatesView,
    TemplateView,
    VersionsView,
    VersionView,
)
from postroom.templates.records import Ref
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/templates", tags=["templates"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.TEMPLATES_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.TEMPLATES_WRITE))]
TemplateRef = Annotated[Word, Path(description="The id or the name of a template.", examples=["parcel-shipped"])]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of a version.", examples=[3])]
QUESTION = "templates"


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(409, *WITH_BODY), summary="Make a template")
async def make_template(body: TemplateBody, caller: Writer, key: NamedCall, response: Response) -> SavedView:
    """Make a template with its first version; what its sources use is checked against what it declares."""
    saved = await caller.services.templates.add(caller.identity, body.written(caller.identity), key)
    response.headers.update(replay_header(replayed=saved.replayed))
    return SavedView.saved(saved)


@router.get("", responses=refusals(), summary="List templates")
async def list_templates(caller: Reader, window: WindowQuery) -> TemplatesView:
    """Templates of the tenant that are not archived, newest first."""
    found = await caller.services.templates.page(caller.identity.tenant_id, after_id(caller, QUESTION, window))
    items, cursor = shown(caller, QUESTION, (found, window.limit), lambda one: one.id)
    return TemplatesView(items=[TemplateSummaryView.summary(one) for one in items], next_cursor=cursor)


@router.get("/{ref}", responses=refusals(404), summary="Read a template")
async def read_template(ref: TemplateRef, caller: Reader) -> TemplateView:
    """Return a template with its newest version; an archived one is found by its id."""
    return TemplateView.of(*await caller.services.templates.get(caller.identity.tenant_id, Ref.read(ref)))


@router.put("/{ref}", responses=refusals(404, 409, *WITH_BODY), summary="Say it otherwise")
async def replace_template(ref: TemplateRef, body: TemplateBody, caller: Writer) -> SavedView:
    """Save a new version, unless the newest one says the same; versions never change."""
    services, identity = caller.services, caller.identity
    return SavedView.saved(await services.templates.replace(identity, Ref.read(ref), body.written(identity)))


@router.delete(
    "/{ref}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Take a template out of use"
)
async def archive_template(ref: TemplateRef, caller: Writer) -> None:
    """Archive a template: its name is free again, and what was accepted with it is sent all the same."""
    await caller.services.templates.archive(caller.identity, Ref.read(ref))


@router.get("/{ref}/versions", responses=refusals(404), summary="List versions")
async def list_versions(ref: TemplateRef, caller: Reader, window: WindowQuery) -> VersionsView:
    """Versions of a template, newest first."""
    question = f"versions of {ref}"
    asked = after_number(caller, question, window)
    found = await caller.services.templates.versions(caller.identity.tenant_id, Ref.read(ref), asked)
    items, cursor = shown(caller, question, (found, window.limit), lambda one: one.number)
    return VersionsView(items=[VersionView.of(one) for one in items], next_cursor=cursor)


@router.get("/{ref}/versions/{number}", responses=refusals(404), summary="Read a version")
async def read_version(ref: TemplateRef, number: Number, caller: Reader) -> VersionView:
    """Return what a template says in one version."""
    return VersionView.of(await caller.services.templates.version(caller.identity.tenant_id, Ref.read(ref), number))


@router.get("/{ref}/events", responses=refusals(404), summary="Read the audit of a template")
async def list_events(ref: TemplateRef, caller: Reader, window: WindowQuery) -> EventsView:
    """Who saved, submitted, approved, rejected, retired, renamed and archived what, newest first."""
    question = f"events of {ref}"
    asked = after_number(caller, question, window)
    found = await caller.services.templates.events(caller.identity.tenant_id, Ref.read(ref), asked)
    items, cursor = shown(caller, question, (found, window.limit), lambda one: one.id)
    return EventsView(items=[EventView.of(one) for one in items], next_cursor=cursor)


@router.get("/{ref}/results", responses=refusals(404), summary="Compare variants")
async def read_results(ref: TemplateRef, caller: Reader) -> ResultsView:
    """What became of the messages of each version, variant and language."""
    return ResultsView.of(await caller.services.templates.results(caller.identity.tenant_id, Ref.read(ref)))
