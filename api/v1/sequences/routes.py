"""Routes of messages that follow one another."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.parameters import NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.sequences.bodies import EventBody, SequenceBody
from api.v1.sequences.views import SEQUENCE_EXAMPLE, HappenedView, SequencesView, SequenceView, WholeSequenceView
from postroom.identity import SEQUENCE, parse_id
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/sequences", tags=["sequences"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.SEQUENCES_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.SEQUENCES_WRITE))]
SequenceId = Annotated[str, Path(description="The id of a sequence.", examples=[SEQUENCE_EXAMPLE])]
QUESTION = "sequences"


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(409, *WITH_BODY), summary="Make a sequence")
async def make_sequence(body: SequenceBody, caller: Writer, key: NamedCall, response: Response) -> WholeSequenceView:
    """Several messages to one person, each some time from an anchor or after the one before."""
    made = await caller.services.sequences.add(caller.identity.tenant_id, body.plan(), key)
    response.headers.update(replay_header(replayed=made.replayed))
    return WholeSequenceView.whole(made)


@router.get("", responses=refusals(), summary="List sequences")
async def list_sequences(caller: Reader, window: WindowQuery) -> SequencesView:
    """Sequences of the tenant, newest first."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    after = services.cursors.read(tenant_id, QUESTION, window.cursor)
    page = await services.sequences.page(tenant_id, (after, window.limit))
    return SequencesView(
        items=[SequenceView.of(sequence) for sequence in page.items],
        next_cursor=services.cursors.write(tenant_id, QUESTION, page.next_after),
    )


@router.get("/{id}", responses=refusals(404), summary="Read a sequence")
async def read_sequence(id: SequenceId, caller: Reader) -> WholeSequenceView:  # noqa: A002 - the path's name
    """Return a sequence with its steps."""
    return WholeSequenceView.whole(await caller.services.sequences.get(caller.identity.tenant_id, sequence_id(id)))


@router.put("/{id}", responses=refusals(404, *WITH_BODY), summary="Write a sequence anew")
async def write_sequence(id: SequenceId, body: SequenceBody, caller: Writer) -> WholeSequenceView:  # noqa: A002
    """Replace a sequence as a whole; whoever is on the way goes on with the steps they began with."""
    tenant_id = caller.identity.tenant_id
    return WholeSequenceView.whole(await caller.services.sequences.replace(tenant_id, sequence_id(id), body.plan()))


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Delete a sequence")
async def delete_sequence(id: SequenceId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Delete a sequence; no step of it is sent any more, and what is written is sent."""
    await caller.services.sequences.remove(caller.identity.tenant_id, sequence_id(id))


@router.post("/events", responses=refusals(*WITH_BODY), summary="Say that something happened to a person")
async def say_event(body: EventBody, caller: Writer) -> HappenedView:
    """End the person's way through every sequence that this event stops; saying it twice is saying it once."""
    stopped = await caller.services.enrolments.happened(caller.identity.tenant_id, body.user_id, body.event)
    return HappenedView(stopped=stopped)


def sequence_id(text: str) -> UUID:
    """Read the id of a sequence; a malformed one names nothing."""
    return parse_id(SEQUENCE, text)
