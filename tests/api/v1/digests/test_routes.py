"""What an API caller reads about digests, and asks of them."""

import pytest

from postroom.database.engine import Database
from postroom.identity import DIGEST, NOTIFICATION, new_id, public_id
from tests.api.conftest import Caller, problem
from tests.digests.ground import Ground, tomorrow
from tests.fixtures.rows import Draft


@pytest.fixture
def ground(database: Database, alice: Caller) -> Ground:
    return Ground(database, alice.tenant.id, alice.tenant.slug)


async def test_an_open_digest_says_what_waits_and_until_when(alice: Caller, ground: Ground) -> None:
    ids = [await ground.waits() for _ in range(2)]
    [listed] = (await alice.get("/digests", user_id="ada", state="open"))["items"]
    assert (listed["user_id"], listed["notification_type"], listed["channel"]) == ("ada", "order_shipped", "in_app")
    assert (listed["item_count"], listed["notification"]) == (2, None)
    assert listed["closes_at"] == tomorrow().isoformat().replace("+00:00", "Z")
    whole = await alice.get(f"/digests/{listed['id']}")
    assert [item["notification"] for item in whole["items"]] == [public_id(NOTIFICATION, one) for one in ids]
    assert {item["state"] for item in whole["items"]} == {"open"}


async def test_pages_go_on_where_they_ended(alice: Caller, ground: Ground) -> None:
    for name in ("ada", "bob", "cyd"):
        await ground.waits(Draft(ground.tenant_id, user_id=name))
    first = await alice.get("/digests", limit=2)
    rest = await alice.get("/digests", limit=2, cursor=first["next_cursor"])
    assert [one["user_id"] for one in first["items"] + rest["items"]] == ["cyd", "bob", "ada"]
    assert rest["next_cursor"] is None
    foreign = await alice.wire.get("/api/v1/digests", params={"state": "open", "cursor": first["next_cursor"]})
    assert problem(foreign)[1] == "invalid_cursor"


async def test_a_digest_can_be_closed_before_its_time(alice: Caller, ground: Ground) -> None:
    one = await ground.waits()
    name = public_id(DIGEST, (await ground.digest())["id"])
    await ground.closings()
    for _ in range(2):
        answer = await alice.post(f"/digests/{name}/close")
        assert (answer.status_code, answer.json()["state"]) == (202, "open")
    assert [closing["owed"] for closing in await ground.closings()] == [True]
    await ground.close_due()
    digest = await alice.get(f"/digests/{name}")
    assert (digest["state"], digest["item_count"], digest["items"][0]["reason"]) == ("sent", 1, "digested")
    assert problem(await alice.post(f"/digests/{name}/close")) == (409, "already_closed", [])

    told = await alice.get(f"/notifications/{digest['notification']}")
    assert (told["title"], told["metadata"]["digest_items"]) == ("1 update about order_shipped", 1)
    listed = await alice.get("/notifications", user_id="ada")
    assert [row["id"] for row in listed["items"]] == [digest["notification"], public_id(NOTIFICATION, one)]
    story = (await alice.get(f"/notifications/{digest['notification']}/timeline"))["entries"]
    assert story[1]["summary"] == f"Tells of one notification that waited in digest {name}."


async def test_the_story_of_an_item_names_its_digest_and_where_it_was_told(alice: Caller, ground: Ground) -> None:
    one = await ground.waits()
    await ground.close()
    name, [told] = public_id(DIGEST, (await ground.digest())["id"]), await ground.told()
    story = (await alice.get(f"/notifications/{public_id(NOTIFICATION, one)}/timeline"))["entries"]
    clock = f"{tomorrow():%Y-%m-%d %H:%M:%S} UTC"
    assert [entry["summary"] for entry in story][1:] == [
        f"Collected into digest {name}, which closes at {clock}.",
        f"Told in {public_id(NOTIFICATION, told['id'])}, with the rest of digest {name}.",
        "Finished: skipped, because it was told in a digest.",
    ]


async def test_a_digest_that_is_not_there_cannot_be_closed(alice: Caller) -> None:
    answer = await alice.post(f"/digests/{public_id(DIGEST, new_id())}/close")
    assert problem(answer) == (404, "not_found", [])
