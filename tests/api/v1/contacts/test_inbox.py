"""An inbox is read from the newest, and what was read stays read."""

from postroom.database.engine import Database
from postroom.identity import INBOX, new_id, public_id
from tests.api.conftest import Caller, problem
from tests.fixtures.inbox import put_into_inbox


async def filled(caller: Caller, database: Database, count: int, user_id: str = "ada") -> list[str]:
    """Messages of a person, newest first."""
    notification = await caller.sent(channel="in_app", user_id=user_id)
    return [await put_into_inbox(database, caller.tenant.id, notification, user_id) for _ in range(count)][::-1]


async def test_read_page_by_page(alice: Caller, database: Database) -> None:
    messages = await filled(alice, database, 5)
    await filled(alice, database, 2, "bob")
    seen: list[str] = []
    query: dict[str, str] = {}
    while True:
        page = await alice.get("/users/ada/inbox", limit=2, **query)
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query = {"cursor": page["next_cursor"]}
    assert seen == messages
    stolen = await alice.wire.get("/api/v1/users/bob/inbox", params=query)
    assert problem(stolen) == (422, "invalid_cursor", [])


async def test_reading_counts_once(alice: Caller, database: Database) -> None:
    newest, *others = await filled(alice, database, 3)
    assert await alice.get("/users/ada/inbox/unread-count") == {"unread": 3}
    first = (await alice.post(f"/users/ada/inbox/{newest}/read")).json()
    again = (await alice.post(f"/users/ada/inbox/{newest}/read")).json()
    assert first["read_at"] == again["read_at"] is not None
    assert await alice.get("/users/ada/inbox/unread-count") == {"unread": 2}
    assert [one["id"] for one in (await alice.get("/users/ada/inbox", unread=True))["items"]] == others
    assert [one["id"] for one in (await alice.get("/users/ada/inbox", unread=False))["items"]] == [newest]


async def test_all_at_once(alice: Caller, database: Database) -> None:
    await filled(alice, database, 3)
    bobs = await filled(alice, database, 1, "bob")
    assert (await alice.post("/users/ada/inbox/read-all")).json() == {"read": 3}
    assert (await alice.post("/users/ada/inbox/read-all")).json() == {"read": 0}
    assert [one["id"] for one in (await alice.get("/users/bob/inbox", unread=True))["items"]] == bobs


async def test_a_message_belongs_to_its_person(alice: Caller, database: Database) -> None:
    (message,) = await filled(alice, database, 1)
    for one in (message, public_id(INBOX, new_id()), "inbox_x"):
        assert problem(await alice.post(f"/users/bob/inbox/{one}/read")) == (404, "not_found", [])
    assert await alice.get("/users/ada/inbox/unread-count") == {"unread": 1}
