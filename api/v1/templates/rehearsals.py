"""Routes of rehearsing a template: previews, preflights and tests to oneself."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.notifications.views import AcceptedView
from api.v1.parameters import NamedCall
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.templates.rehearsal_bodies import FlightView, PreviewView, RehearsalBody, TestSendBody, UnsavedBody
from api.v1.templates.routes import TemplateRef
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import Invalid
from postroom.notifications.request import Request, write_draft
from postroom.rendering.rehearsals import Preview, Work
from postroom.templates.records import Ref
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/templates", tags=["templates"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.TEMPLATES_READ))]
Sender = Annotated[Caller, Depends(Key(Scope.NOTIFICATIONS_WRITE))]
TEST = "[Test] "
TITLE = 240  # letters, which are at most four bytes each: with the mark the title still fits a header


@router.post("/preview", responses=refusals(*WITH_BODY), summary="Preview what is not saved")
async def preview_unsaved(body: UnsavedBody, caller: Reader) -> PreviewView:
    """Render a template that is still being written; nothing is kept."""
    work = Work.unsaved(body.template.written(caller.identity).content)
    return PreviewView.of(await caller.services.rehearsals.preview(caller.identity.tenant_id, work, body.wish()))


@router.post("/preflight", responses=refusals(*WITH_BODY), summary="Check what is not saved")
async def check_unsaved(body: UnsavedBody, caller: Reader) -> FlightView:
    """Render every variant in every language, and say what a reader might stumble over; nothing is kept."""
    work = Work.unsaved(body.template.written(caller.identity).content)
    return FlightView.of(await caller.services.rehearsals.preflight(caller.identity.tenant_id, work, body.wish()))


@router.post("/{ref}/preview", responses=refusals(404, *WITH_BODY), summary="Preview a version")
async def preview_template(ref: TemplateRef, body: RehearsalBody, caller: Reader) -> PreviewView:
    """Render any version, drafts too, with sample variables or for a contact."""
    return PreviewView.of(await _preview(ref, body, caller))


@router.post("/{ref}/preflight", responses=refusals(404, *WITH_BODY), summary="Check a version")
async def check_template(ref: TemplateRef, body: RehearsalBody, caller: Reader) -> FlightView:
    """Render every variant in every language, and say what a reader might stumble over."""
    rehearsals, tenant_id = caller.services.rehearsals, caller.identity.tenant_id
    work = await rehearsals.work(tenant_id, Ref.read(ref), body.version)
    return FlightView.of(await rehearsals.preflight(tenant_id, work, body.wish()))


@router.post(
    "/{ref}/test-send",
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(404, 409, *WITH_BODY),
    summary="Send a version to oneself",
)
async def send_test(  # noqa: PLR0913 - FastAPI fills them from the request
    ref: TemplateRef, body: TestSendBody, caller: Sender, key: NamedCall, response: Response
) -> AcceptedView:
    """Send any version, drafts too, as an ordinary notification whose title says that it is a test."""
    services, identity = caller.services, caller.identity
    if (body.to is None) == (body.user_id is None):
        raise Invalid.at("/to", "recipient_required", "Give an address or a user_id, not both.")
    preview = await _preview(ref, body, caller)
    request = _request(preview, body)
    accepted, _ = await services.reception.receive(write_draft(request, identity, services.timing, key))
    view = AcceptedView.of(accepted)
    response.headers["Location"] = view.links.self
    response.headers.update(replay_header(replayed=accepted.replayed))
    return view


async def _preview(ref: str, body: RehearsalBody, caller: Caller) -> Preview:
    rehearsals, tenant_id = caller.services.rehearsals, caller.identity.tenant_id
    work = await rehearsals.work(tenant_id, Ref.read(ref), body.version)
    return await rehearsals.preview(tenant_id, work, body.wish())


def _request(preview: Preview, body: TestSendBody) -> Request:
    """Make a notification with the words that were just spoken: a draft is never pinned, so never sent by others."""
    channel, words = ChannelKind(preview.channel), preview.words
    if body.to is not None and channel is not ChannelKind.EMAIL:
        raise Invalid.at("/to", "recipient_required", "Only e-mail goes to an address; give a user_id.")
    return Request(
        channels=(channel,),
        title=TEST + (words.title or preview.variant)[:TITLE],
        body_text=words.text,
        body_html=words.html,
        user_id=body.user_id,
        metadata={} if body.to is None else {str(channel): body.to},
    )
