"""Routes of template sets: templates in an order, to take turns or to follow one another."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.body import Body
from api.v1.examples import TEMPLATE_EXAMPLE, TIME_EXAMPLE
from api.v1.fields import Duration, Word
from api.v1.numbered import after_id, shown
from api.v1.parameters import NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.templates.bodies import TemplateName
from postroom.identity import TEMPLATE, TEMPLATE_SET, public_id
from postroom.templates.sets import TemplateSet, Turn
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/template-sets", tags=["templates"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.TEMPLATES_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.TEMPLATES_WRITE))]
SetRef = Annotated[Word, Path(description="The id or the name of a template set.", examples=["onboarding"])]
SET_EXAMPLE = "tset_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
ENTRIES = 50
QUESTION = "template sets"


class EntryBody(Body):
    """One template of a set."""

    template: Word = Field(description="By id or name.", examples=["welcome"])
    delay: Duration | None = Field(default=None, description="How long a sequence waits before it.")


class SetBody(Body):
    """Templates in an order."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "onboarding", "entries": [{"template": "welcome"}, {"template": "tips", "delay": "P3D"}]}
            ]
        },
    )

    name: TemplateName
    entries: list[EntryBody] = Field(min_length=1, max_length=ENTRIES)

    def turns(self) -> list[Turn]:
        """Return the entries in order."""
        return [Turn(one.template, one.delay) for one in self.entries]


class SetEntryView(BaseModel):
    """One template of a set, and after how many seconds a sequence sends it."""

    template_id: str = Field(examples=[TEMPLATE_EXAMPLE])
    delay_seconds: float | None = Field(examples=[259200])


class SetView(BaseModel):
    """A template set."""

    id: str = Field(examples=[SET_EXAMPLE])
    name: str = Field(examples=["onboarding"])
    entries: list[SetEntryView]
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, one: TemplateSet) -> "SetView":
        """Describe a set."""
        return cls(
            id=public_id(TEMPLATE_SET, one.id),
            name=one.name,
            entries=[
                SetEntryView(
                    template_id=public_id(TEMPLATE, entry.template_id),
                    delay_seconds=entry.delay.total_seconds() if entry.delay is not None else None,
                )
                for entry in one.entries
            ],
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class SetsView(BaseModel):
    """Some sets, newest first, and the cursor for the next ones."""

    items: list[SetView]
    next_cursor: str | None = Field(examples=[None])


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(409, *WITH_BODY), summary="Make a template set")
async def make_set(body: SetBody, caller: Writer, key: NamedCall, response: Response) -> SetView:
    """Make a set of templates that are there already."""
    sets, tenant_id = caller.services.template_sets, caller.identity.tenant_id
    made, replayed = await sets.add(tenant_id, body.name, body.turns(), key)
    response.headers.update(replay_header(replayed=replayed))
    return SetView.of(made)


@router.get("", responses=refusals(), summary="List template sets")
async def list_sets(caller: Reader, window: WindowQuery) -> SetsView:
    """Sets of the tenant, newest first."""
    asked = after_id(caller, QUESTION, window)
    found = await caller.services.template_sets.page(caller.identity.tenant_id, asked)
    items, cursor = shown(caller, QUESTION, (found, window.limit), lambda one: one.id)
    return SetsView(items=[SetView.of(one) for one in items], next_cursor=cursor)


@router.get("/{ref}", responses=refusals(404), summary="Read a template set")
async def read_set(ref: SetRef, caller: Reader) -> SetView:
    """Return a set by id or name."""
    return SetView.of(await caller.services.template_sets.get(caller.identity.tenant_id, ref))


@router.put("/{ref}", responses=refusals(404, 409, *WITH_BODY), summary="Replace a template set")
async def replace_set(ref: SetRef, body: SetBody, caller: Writer) -> SetView:
    """Replace name and entries; what was accepted before keeps its template."""
    sets, tenant_id = caller.services.template_sets, caller.identity.tenant_id
    return SetView.of(await sets.replace(tenant_id, ref, body.name, body.turns()))


@router.delete("/{ref}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Delete a template set")
async def remove_set(ref: SetRef, caller: Writer) -> None:
    """Delete a set; its templates stay."""
    await caller.services.template_sets.remove(caller.identity.tenant_id, ref)
