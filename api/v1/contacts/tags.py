"""Routes of tags; registered before contacts, whose paths take everything."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.contacts.bodies import ContactView
from api.v1.contacts.tag_bodies import MovedView, TagBody, TaggedView, TaggingBody, TagsView, TagView
from api.v1.fields import Word
from api.v1.parameters import PathUserId, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from postroom.tenants.keys import Scope

router = APIRouter(tags=["tags"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CONTACTS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.CONTACTS_WRITE))]
TagName = Annotated[Word, Path(description="A tag.", examples=["newsletter"])]
Prefix = Annotated[Word | None, Query(description="Only tags that begin so.", examples=["news"])]


@router.put("/contacts/{user_id:path}/tags/{tag:path}", responses=refusals(404), summary="Tag a contact")
async def add_tag(user_id: PathUserId, tag: TagName, caller: Writer) -> ContactView:
    """Tag a person; twice is once."""
    return ContactView.of(await caller.services.tags.add(caller.identity.tenant_id, user_id, tag))


@router.delete(
    "/contacts/{user_id:path}/tags/{tag:path}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(404),
    summary="Take a tag from a contact",
)
async def remove_tag(user_id: PathUserId, tag: TagName, caller: Writer) -> None:
    """Take a tag from a person; one they do not have is gone already."""
    await caller.services.tags.remove(caller.identity.tenant_id, user_id, tag)


@router.get("/tags", responses=refusals(), summary="List tags")
async def list_tags(caller: Reader, window: WindowQuery, prefix: Prefix = None) -> TagsView:
    """Tags by name, and how many people have each. A tag is there as long as somebody has it."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    question = f"tags {prefix!r}"
    after = services.cursors.read_name(tenant_id, question, window.cursor)
    found, next_after = await services.tags.page(tenant_id, prefix or "", (after, window.limit))
    return TagsView(
        items=[TagView(**one) for one in found],
        next_cursor=services.cursors.write_name(tenant_id, question, next_after),
    )


@router.post("/tags/{tag:path}/contacts", responses=refusals(*WITH_BODY), summary="Tag many contacts")
async def tag_many(tag: TagName, body: TaggingBody, caller: Writer) -> TaggedView:
    """Tag up to 10,000 people, and take the tag from others: all of it or nothing. Repeating it changes nothing."""
    tagged = await caller.services.tags.change(caller.identity.tenant_id, tag, body.add, body.remove)
    return TaggedView.of(tag, tagged)


@router.patch("/tags/{tag:path}", responses=refusals(404, *WITH_BODY), summary="Rename a tag")
async def rename_tag(tag: TagName, body: TagBody, caller: Writer) -> MovedView:
    """Give everybody who has it another tag for it; one that is there already has them all then.

    With more people than fit into a request, `done` is false: repeat it.
    """
    return MovedView.of(body.name, await caller.services.tags.move(caller.identity.tenant_id, tag, body.name))


@router.delete("/tags/{tag:path}", responses=refusals(404), summary="Delete a tag")
async def delete_tag(tag: TagName, caller: Writer) -> MovedView:
    """Take a tag from everybody. With more people than fit into a request, `done` is false: repeat it."""
    return MovedView.of(tag, await caller.services.tags.move(caller.identity.tenant_id, tag, None))
