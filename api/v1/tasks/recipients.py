"""Routes of a task's recipients: some of them, and all of them as CSV."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.examples import TIME_EXAMPLE
from api.v1.fields import Word
from api.v1.parameters import WindowQuery
from api.v1.refusals import refusals
from api.v1.tasks.routes import TaskId
from postroom.contracts.vocabulary import DeliveryState
from postroom.identity import DELIVERY, TASK, parse_id, public_id
from postroom.reports.recipients import Filters, Recipient, Window
from postroom.reports.sheets import COLUMNS, sheet
from postroom.reports.tasks import Task
from postroom.tenants.keys import Scope

router = APIRouter(tags=["reports"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_READ))]
Domain = Annotated[str, Query(min_length=1, max_length=255, examples=["gmail.com"])]
SHEET: dict[int | str, dict[str, Any]] = {
    200: {"description": "The recipients.", "content": {"text/csv": {"example": ",".join(COLUMNS)}}}
}


def filters(  # noqa: PLR0913 - one parameter per filter is what makes them documented one by one
    *,
    state: Annotated[DeliveryState | None, Query(examples=["rejected"])] = None,
    reason: Annotated[Word | None, Query(examples=["mailbox_unknown"])] = None,
    variant: Annotated[
        str | None, Query(min_length=1, max_length=120, description="By its label.", examples=["A"])
    ] = None,
    template_variant: Annotated[Word | None, Query(examples=["b"])] = None,
    language: Annotated[Word | None, Query(examples=["de"])] = None,
    domain: Domain | None = None,
    sender: Annotated[
        str | None, Query(min_length=1, max_length=200, description="Who took it, or refused.", examples=["main"])
    ] = None,
    opened: Annotated[bool | None, Query(description="By a person.")] = None,
    clicked: Annotated[bool | None, Query(description="By a person.")] = None,
    bounced: Annotated[bool | None, Query(description="After acceptance.")] = None,
    complained: bool | None = None,
    unsubscribed: bool | None = None,
) -> Filters:
    """Read which recipients are asked for."""
    return Filters(
        state, reason, variant, template_variant, language, domain, sender, opened, clicked, bounced, complained,
        unsubscribed,
    )  # fmt: skip


FilterQuery = Annotated[Filters, Depends(filters)]


class RecipientView(BaseModel):
    """One recipient: what became of their message, and what came back."""

    seq: int = Field(examples=[4711], description="The place in the audience.")
    user_id: str | None = Field(examples=["user_123"], description="Null once the person is erased.")
    delivery_id: str = Field(examples=["dlv_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"])
    state: DeliveryState = Field(examples=["accepted"])
    reason: str | None = Field(examples=["accepted"])
    variant: str = Field(examples=["A"])
    template_variant: str | None = Field(examples=[None])
    language: str | None = Field(examples=["de"])
    domain: str | None = Field(examples=["gmail.com"])
    sender: str | None = Field(examples=["main"])
    attempts: int = Field(examples=[1])
    smtp_code: int | None = Field(examples=[250], description="Of the provider's last answer.")
    enhanced_status: str | None = Field(examples=["2.0.0"], description="Of the provider's last answer.")
    not_before: datetime = Field(examples=[TIME_EXAMPLE])
    ended_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    opened_at: datetime | None = Field(examples=[TIME_EXAMPLE], description="First, by a person.")
    clicked_at: datetime | None = Field(examples=[None], description="First, by a person.")
    machine_touches: int = Field(examples=[1], description="Opens and clicks by machines.")
    bounced_at: datetime | None = Field(examples=[None])
    bounce_status: str | None = Field(examples=[None])
    complained_at: datetime | None = Field(examples=[None])
    unsubscribed_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, task: Task, one: Recipient) -> Self:
        """Describe a recipient."""
        return cls(
            seq=one.seq,
            user_id=one.user_id,
            delivery_id=public_id(DELIVERY, one.id),
            state=DeliveryState(one.state),
            reason=one.reason,
            variant=task.label(one.part),
            template_variant=one.template_variant,
            language=one.language,
            domain=one.domain,
            sender=one.sender,
            attempts=one.attempt,
            smtp_code=one.code,
            enhanced_status=one.enhanced,
            not_before=one.not_before,
            ended_at=one.ended_at,
            opened_at=one.opened_at,
            clicked_at=one.clicked_at,
            machine_touches=one.machine_touches,
            bounced_at=one.bounced_at,
            bounce_status=one.bounce_status,
            complained_at=one.complained_at,
            unsubscribed_at=one.unsubscribed_at,
        )


class RecipientsView(BaseModel):
    """Some recipients in the order of the audience, and the cursor for the next ones."""

    items: list[RecipientView]
    next_cursor: str | None = Field(examples=[None])


@router.get("/tasks/{id}/recipients", responses=refusals(404), summary="List a task's recipients")
async def list_recipients(
    id: TaskId,  # noqa: A002 - the path's name
    caller: Reader,
    window: WindowQuery,
    asked: FilterQuery,
) -> RecipientsView:
    """Any set of recipients with their states, reasons and times, in the order of the audience."""
    tenant_id, services, task_id = caller.identity.tenant_id, caller.services, parse_id(TASK, id)
    question = f"recipients {task_id} {asked}"
    after = int(services.cursors.read_name(tenant_id, question, window.cursor) or 0)
    task = await services.recipients.task(tenant_id, task_id)
    found = await services.recipients.some(tenant_id, task, asked, Window(after, window.limit + 1))
    shown = found[: window.limit]
    more = len(found) > window.limit
    return RecipientsView(
        items=[RecipientView.of(task, one) for one in shown],
        next_cursor=services.cursors.write_name(tenant_id, question, str(shown[-1].seq)) if more else None,
    )


@router.get(
    "/tasks/{id}/recipients.csv",
    response_class=StreamingResponse,
    responses={**refusals(404), **SHEET},
    summary="Download a task's recipients",
)
async def download_recipients(
    id: TaskId,  # noqa: A002 - the path's name
    caller: Reader,
    asked: FilterQuery,
) -> StreamingResponse:
    """The same as CSV, each recipient once. Cells that a table program would take for formulas begin with `'`."""
    tenant_id, recipients = caller.identity.tenant_id, caller.services.recipients
    task = await recipients.task(tenant_id, parse_id(TASK, id))
    asked.asked(task)
    named = {"content-disposition": f'attachment; filename="{public_id(TASK, task.id)}.csv"'}
    lines = sheet(recipients, tenant_id, task, asked)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=named)
