"""Routes that take contacts in and hand them out by the file."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.uploads import file_of
from api.v1.contacts.file_views import ContactsExportBody, Delimiter, RowErrorsView, RowErrorView
from api.v1.fields import Word
from api.v1.jobs.views import JobView
from api.v1.parameters import GivenName, JobId, NamedRequest, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from postroom.contact_files.deciding import Terms
from postroom.contact_files.models import Mode
from postroom.contact_files.receiving import Taken
from postroom.contact_files.rows import Problem
from postroom.csv_lines import csv_lines
from postroom.identity import JOB, parse_id
from postroom.tenants.keys import Scope

uploads = APIRouter(prefix="/contacts", tags=["contacts"])  # a file takes as long as it takes
router = APIRouter(tags=["contacts"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CONTACTS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.CONTACTS_WRITE))]

PAGE = 1_000
CSV = "text/csv"
EXAMPLE = "user_id,email,language,tags,attribute.plan\nuser_123,ada@example.com,fr,vip|beta,pro\n"
FORM = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            CSV: {"schema": {"type": "string", "examples": [EXAMPLE]}},
            "multipart/form-data": {"schema": FORM, "example": {"file": EXAMPLE}},
        },
    }
}


def _file(example: str) -> dict[int | str, dict[str, Any]]:
    content = {CSV: {"schema": {"type": "string", "examples": [example]}}}
    return {200: {"description": "CSV in UTF-8", "content": content}}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done with a file, and the caller's name for the request."""

    terms: Terms
    name: str | None


def terms(
    *,
    mode: Annotated[Mode, Query(description="Whether contacts are made, changed, or both.")] = Mode.UPSERT,
    delimiter: Annotated[Delimiter | None, Query(description="By default it is found in the header.")] = None,
    tag: Annotated[list[Word], Query(max_length=20, description="Given to everybody in the file.")] = [],  # noqa: B006
    validate_only: Annotated[bool, Query(description="Only tell what would become of each line.")] = False,
) -> Terms:
    """Read what is to be done with a file."""
    return Terms((), delimiter.sign if delimiter else "", mode, tuple(dict.fromkeys(tag)), validate_only)


def asked_of(wanted: Annotated[Terms, Depends(terms)], name: GivenName = None) -> Asked:
    """Put both together."""
    return Asked(wanted, name)


@uploads.post(
    "/imports",
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(409, *WITH_BODY),
    openapi_extra=BODY,
    summary="Import contacts",
)
async def import_contacts(
    request: Request, caller: Writer, asked: Annotated[Asked, Depends(asked_of)], response: Response
) -> JobView:
    """Take in a CSV file: what its columns name is written over what is known, and empty cells say nothing.

    The job tells how many lines came to what, and `/jobs/{id}/errors` why the others did not.
    """
    taken = await caller.services.receptions.receive(caller.identity, asked.terms, file_of(request), asked.name)
    return await _told(caller, taken, response)


@router.post(
    "/contacts/exports",
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(409, *WITH_BODY),
    summary="Export contacts",
)
async def export_contacts(body: ContactsExportBody, caller: Writer, key: NamedRequest, response: Response) -> JobView:
    """Begin to write a file of everybody a rule finds; the job says when it can be fetched, for 24 hours."""
    return await _told(caller, await caller.services.contact_files.export(caller.identity, body.rule, key), response)


@router.get("/jobs/{id}/errors", responses=refusals(404), summary="List what an import could not take")
async def list_errors(id: JobId, caller: Reader, window: WindowQuery) -> RowErrorsView:  # noqa: A002 - the path's name
    """Every line that was not taken, or in whose place a later one stands, as the import came upon it."""
    tenant_id, services, job_id = caller.identity.tenant_id, caller.services, parse_id(JOB, id)
    question = f"errors {job_id}"
    after = services.cursors.read(tenant_id, question, window.cursor)
    page = await services.contact_files.errors(tenant_id, job_id, (after, window.limit))
    return RowErrorsView(
        items=[RowErrorView.of(one) for one in page.items],
        next_cursor=services.cursors.write(tenant_id, question, page.next_after),
    )


@router.get(
    "/jobs/{id}/errors.csv",
    responses=refusals(404) | _file("line,column,code,message\r\n17,email,invalid_recipient,...\r\n"),
    response_class=StreamingResponse,
    summary="Fetch what an import could not take",
)
async def read_errors(id: JobId, caller: Reader) -> StreamingResponse:  # noqa: A002 - the path's name
    """Return the same as a file."""
    tenant_id, job_id = caller.identity.tenant_id, parse_id(JOB, id)
    await caller.services.contact_files.errors(tenant_id, job_id, (None, 1))
    return _download(_report(caller, tenant_id, job_id), "errors.csv")


@router.get(
    "/jobs/{id}/file",
    responses=refusals(404, 409) | _file(EXAMPLE),
    response_class=StreamingResponse,
    summary="Fetch exported contacts",
)
async def read_file(id: JobId, caller: Reader) -> StreamingResponse:  # noqa: A002 - the path's name
    """Return the file that an export wrote; an import takes it as it is."""
    files = caller.services.contact_files
    found = await files.exported(caller.identity.tenant_id, parse_id(JOB, id))
    return _download(files.text(found), "contacts.csv")


async def _told(caller: Caller, taken: Taken, response: Response) -> JobView:
    view = JobView.of(await caller.services.jobs.standing(caller.identity.tenant_id, taken.job_id))
    response.headers["Location"] = view.links.self
    response.headers.update(replay_header(replayed=taken.replayed))
    return view


async def _report(caller: Caller, tenant_id: UUID, job_id: UUID) -> AsyncIterator[bytes]:
    yield csv_lines([("line", "column", "code", "message")]).encode()
    async for some in caller.services.contact_files.all_errors(tenant_id, job_id, PAGE):
        yield csv_lines([_cells(one) for one in some]).encode()


def _cells(problem: Problem) -> tuple[object, ...]:
    return problem.line, problem.column, problem.code, problem.message


def _download(octets: AsyncIterator[bytes], name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(octets, media_type=CSV, headers=headers)
