"""Routes of single preferences, as older callers know them: a subscription is what a person wants of one type."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.body import Body
from api.v1.fields import UserId
from api.v1.preferences.bodies import ChannelOrAll, PreferenceBody, PreferenceView, TypeOrGroup, preferences_in
from api.v1.refusals import WITH_BODY, refusals
from postroom.subscriptions.preference import Author
from postroom.subscriptions.service import MOST, Said, Whose
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/subscriptions", tags=["preferences"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.PREFERENCES_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.PREFERENCES_WRITE))]
Person = Annotated[UserId, Query(description="The tenant's own name for a person.", examples=["user_123"])]


class SubscriptionsBody(Body):
    """Several subscriptions of one person."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"subscriptions": [{"notification_type": "newsletter", "channel": "email", "enabled": False}]}]
        },
    )

    subscriptions: list[PreferenceBody] = Field(min_length=1, max_length=MOST)


class SubscriptionsView(BaseModel):
    """What a person said, one row for each type and channel."""

    user_id: str = Field(examples=["user_123"])
    items: list[PreferenceView]

    @classmethod
    def of(cls, user_id: str, said: Said) -> "SubscriptionsView":
        """Describe them."""
        return cls(user_id=user_id, items=[PreferenceView.of(one) for one in said.preferences])


@router.get("", responses=refusals(), summary="List subscriptions")
async def list_subscriptions(user_id: Person, caller: Reader) -> SubscriptionsView:
    """What a person said; what applies because of it is told by their preferences."""
    said = await caller.services.subscriptions.said(Whose(caller.identity.tenant_id, user_id))
    return SubscriptionsView.of(user_id, said)


@router.put("", responses=refusals(*WITH_BODY), summary="Write a subscription")
async def write_subscription(user_id: Person, body: PreferenceBody, caller: Writer) -> SubscriptionsView:
    """Write one; the others stay."""
    said = await caller.services.subscriptions.write(_signed(caller, user_id), [body.preference()])
    return SubscriptionsView.of(user_id, said)


@router.post("", responses=refusals(*WITH_BODY), summary="Write several subscriptions")
async def write_subscriptions(user_id: Person, body: SubscriptionsBody, caller: Writer) -> SubscriptionsView:
    """Write several at once, all of them or none; the others stay. Twice is once."""
    wishes = preferences_in(body.subscriptions, "/subscriptions")
    return SubscriptionsView.of(user_id, await caller.services.subscriptions.write(_signed(caller, user_id), wishes))


@router.delete("", status_code=HTTPStatus.NO_CONTENT, responses=refusals(), summary="Delete a subscription")
async def delete_subscription(
    user_id: Person,
    notification_type: Annotated[TypeOrGroup, Query()],
    caller: Writer,
    channel: Annotated[ChannelOrAll, Query()] = "*",
) -> None:
    """Forget one: the next wider word counts again, or the default. Forgetting what was never said is no error."""
    whose = _signed(caller, user_id)
    await caller.services.subscriptions.forget(whose, [(notification_type, str(channel))])


def _signed(caller: Caller, user_id: str) -> Whose:
    return Whose(caller.identity.tenant_id, user_id, Author(caller.identity.key_id))
