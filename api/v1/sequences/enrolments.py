"""Routes of the people who go through a sequence."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from api.patience import PatientRoute
from api.v1.parameters import NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.sequences.bodies import EnrolmentBody, EnrolmentsBody
from api.v1.sequences.routes import Reader, SequenceId, Writer, sequence_id
from api.v1.sequences.views import (
    ENROLMENT_EXAMPLE,
    EnrolledView,
    EnrolmentsView,
    EnrolmentView,
    ManyEnrolledView,
    WholeEnrolmentView,
)
from postroom.identity import ENROLMENT, parse_id, public_id
from postroom.sequences.models import EnrolmentState

router = APIRouter(prefix="/sequences/{id}/enrolments", tags=["sequences"], route_class=PatientRoute)

EnrolmentId = Annotated[str, Path(description="The id of an enrolment.", examples=[ENROLMENT_EXAMPLE])]
StateQuery = Annotated[EnrolmentState | None, Query(description="Only those in this state.")]


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(404, 409, *WITH_BODY), summary="Enrol a person")
async def enrol(  # noqa: PLR0913 - what a request brings
    id: SequenceId,  # noqa: A002 - the path's name
    body: EnrolmentBody,
    caller: Writer,
    key: NamedCall,
    response: Response,
) -> WholeEnrolmentView:
    """Take a person through a sequence. Steps whose time has passed are skipped (`already_past`)."""
    services, newcomer = caller.services, body.newcomer()
    progress, again = await services.enrolments.enrol_one(caller.identity, sequence_id(id), newcomer, key)
    response.headers.update(replay_header(replayed=again))
    return WholeEnrolmentView.whole(progress)


@router.post("/batch", responses=refusals(404, 409, *WITH_BODY), summary="Enrol many people")
async def enrol_many(  # noqa: PLR0913 - what a request brings
    id: SequenceId,  # noqa: A002 - the path's name
    body: EnrolmentsBody,
    caller: Writer,
    key: NamedCall,
    response: Response,
) -> ManyEnrolledView:
    """Enrol up to 1,000 people in one transaction; whoever is on the way already stays on it."""
    people = body.newcomers()
    enrolled, again = await caller.services.enrolments.enrol(caller.identity, sequence_id(id), people, key)
    response.headers.update(replay_header(replayed=again))
    ids = {user_id: public_id(ENROLMENT, made) for user_id, made in enrolled.items()}
    return ManyEnrolledView(
        enrolled=len(ids),
        already_enrolled=len(people) - len(ids),
        items=[EnrolledView(user_id=one.user_id, enrolment_id=ids.get(one.user_id)) for one in people],
    )


@router.get("", responses=refusals(404), summary="List enrolments")
async def list_enrolments(
    id: SequenceId,  # noqa: A002 - the path's name
    caller: Reader,
    window: WindowQuery,
    state: StateQuery = None,
) -> EnrolmentsView:
    """Who goes, or went, through a sequence, newest first."""
    services, tenant_id, sequence = caller.services, caller.identity.tenant_id, sequence_id(id)
    question = f"enrolments {sequence} {state}"
    after = services.cursors.read(tenant_id, question, window.cursor)
    page = await services.enrolments.page(tenant_id, sequence, (after, window.limit), state)
    return EnrolmentsView(
        items=[EnrolmentView.of(enrolment) for enrolment in page.items],
        next_cursor=services.cursors.write(tenant_id, question, page.next_after),
    )


@router.get("/{enrolment_id}", responses=refusals(404), summary="Read an enrolment")
async def read_enrolment(id: SequenceId, enrolment_id: EnrolmentId, caller: Reader) -> WholeEnrolmentView:  # noqa: A002
    """Return an enrolment with its steps: when each is due, and what became of it."""
    tenant_id = caller.identity.tenant_id
    progress = await caller.services.enrolments.get(tenant_id, sequence_id(id), _id(enrolment_id))
    return WholeEnrolmentView.whole(progress)


@router.post("/{enrolment_id}/stop", responses=refusals(404, 409), summary="Stop an enrolment")
async def stop_enrolment(id: SequenceId, enrolment_id: EnrolmentId, caller: Writer) -> WholeEnrolmentView:  # noqa: A002
    """End a person's way; a step is sent before this or never."""
    tenant_id = caller.identity.tenant_id
    progress = await caller.services.enrolments.stop(tenant_id, sequence_id(id), _id(enrolment_id))
    return WholeEnrolmentView.whole(progress)


def _id(text: str) -> UUID:
    return parse_id(ENROLMENT, text)
