"""Routes of what a person wants; part of their contact, and registered before it, whose paths take everything."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.parameters import PathUserId
from api.v1.preferences.bodies import ChangesView, ChangeView, PreferencesBody, PreferencesView, preferences_in
from api.v1.refusals import WITH_BODY, refusals
from postroom.identity import API_KEY, public_id
from postroom.subscriptions.preference import Author
from postroom.subscriptions.service import Whose
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/contacts", tags=["preferences"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.PREFERENCES_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.PREFERENCES_WRITE))]
CHANGES = 200


@router.get("/{user_id:path}/preferences", responses=refusals(), summary="Read preferences")
async def read_preferences(user_id: PathUserId, caller: Reader) -> PreferencesView:
    """What a person said, and what applies to each type over each channel. Of most nothing is known: no error."""
    whose = Whose(caller.identity.tenant_id, user_id)
    said = await caller.services.subscriptions.said(whose)
    return PreferencesView.of(user_id, said, caller.services.links.page_of(*_named(whose)))


@router.put("/{user_id:path}/preferences", responses=refusals(*WITH_BODY), summary="Write preferences")
async def write_preferences(user_id: PathUserId, body: PreferencesBody, caller: Writer) -> PreferencesView:
    """Replace all a person said. It counts at once, for what is on its way too."""
    whose = Whose(caller.identity.tenant_id, user_id, Author(caller.identity.key_id))
    wishes = preferences_in(body.preferences, "/preferences")
    said = await caller.services.subscriptions.replace(whose, wishes, body.pause())
    return PreferencesView.of(user_id, said, caller.services.links.page_of(*_named(whose)))


@router.get("/{user_id:path}/preferences/changes", responses=refusals(), summary="List changes of preferences")
async def list_changes(
    user_id: PathUserId, caller: Reader, limit: Annotated[int, Query(ge=1, le=CHANGES)] = 50
) -> ChangesView:
    """Who changed what, newest first."""
    events = await caller.services.subscriptions.events(Whose(caller.identity.tenant_id, user_id), limit)
    return ChangesView(items=[_change(event) for event in events])


def _named(whose: Whose) -> tuple[Any, str]:
    return whose.tenant_id, whose.user_id


def _change(event: Mapping[str, Any]) -> ChangeView:
    key = event["api_key_id"]
    return ChangeView(
        **{name: event[name] for name in ("at", "subject", "notification_type", "channel", "before", "after")},
        by="api_key" if key else "person",
        api_key_id=public_id(API_KEY, key) if key else None,
    )
