"""A batch whose words each recipient's variables fill: each gets their own, and who cannot fails alone."""

from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.settings import Settings
from tests.api.conftest import Caller, early_in_a_window, limited, problem
from tests.api.v1.notifications.test_batch import batch, people, rows, sums
from tests.fixtures.database import Tenants

TITLE = "Order {{ order.number }}"
CONTENT = {"text": "Hello {{name}}.", "html": "<p>Hello <b>{{ name }}</b></p>"}


def filled(*variables: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """A batch of as many people, each with their variables."""
    recipients = [
        {"user_id": name} | ({} if one is None else {"variables": one})
        for name, one in zip(people(len(variables)), variables, strict=True)
    ]
    return batch(**{"recipients": recipients, "title": TITLE, "content": CONTENT, **changes})


def order(name: Any, number: Any) -> dict[str, Any]:
    return {"name": name, "order": {"number": number}}


async def sent(caller: Caller, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await caller.post("/notifications/batch", body, **headers)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert sums(job)
    assert (await caller.get(f"/jobs/{job['job_id']}"))["counts"] == job["counts"]
    return job


async def failures(caller: Caller, job: dict[str, Any]) -> list[tuple[str, str]]:
    items = (await caller.get(f"/jobs/{job['job_id']}/failures", limit=200))["items"]
    return [(one["user_id"], one["reason"]) for one in items]


async def test_each_gets_words_of_their_own(alice: Caller, database: Database) -> None:
    body = filled(order("Ада 🦊", "A-1"), order('<b>O\'Neil & "co"', 7), order("{{ name }}", True))
    job = await sent(alice, body)
    assert job["counts"]["open"] == 3
    written = await rows(database, alice)
    assert [(row["title"], row["body_text"]) for row in written] == [
        ("Order A-1", "Hello Ада 🦊."),
        ("Order 7", 'Hello <b>O\'Neil & "co".'),
        ("Order true", "Hello {{ name }}."),
    ]
    second = await alice.get(f"/notifications/notif_{written[1]['id'].hex}")
    assert second["content"]["html"] == "<p>Hello <b>&lt;b&gt;O&#x27;Neil &amp; &quot;co&quot;</b></p>"


async def test_a_thousand_with_some_who_cannot(alice: Caller, database: Database) -> None:
    variables = [order(f"user {number}", number) if number % 10 else {"name": "x"} for number in range(1000)]
    job = await sent(alice, filled(*variables, metadata={"campaign": "friday"}))
    assert (job["total"], job["counts"]["open"], job["counts"]["failed"]) == (1000, 900, 100)
    written = await rows(database, alice)
    assert [row["user_id"] for row in written] == people(1000)
    assert {str(row["metadata"]) for row in written} == {"{'campaign': 'friday'}"}
    for number, row in enumerate(written):
        going = number % 10 != 0
        assert (row["state"], row["reason"]) == (("open", None) if going else ("failed", "variable_missing"))
        assert row["title"] == (f"Order {number}" if going else None)
        assert row["body_text"] == (f"Hello user {number}." if going else None)
        assert (row["ended_at"] is None) is going
    assert len(await failures(alice, job)) == 100


async def test_who_cannot_be_told_anything_fails_alone_and_the_story_says_why(alice: Caller) -> None:
    body = filled(
        order("Ada", "A-1"),
        order("Bob", "1\r\nBcc: eve@shop.de"),
        {"name": "Eve", "order": "A-2"},
        order(None, "A-3"),
        order(["x"], "A-4"),
        None,
        {},
    )
    job = await sent(alice, body)
    assert (job["counts"]["open"], job["counts"]["failed"]) == (1, 6)
    reasons = ["variable_invalid", "variable_missing", *["variable_invalid"] * 2, *["variable_missing"] * 2]
    assert await failures(alice, job) == list(zip(people(7)[1:], reasons, strict=True))
    stories = []
    for failure in (await alice.get(f"/jobs/{job['job_id']}/failures"))["items"]:
        path = f"/notifications/{failure['notification_id']}"
        entries = (await alice.get(f"{path}/timeline"))["entries"]
        assert [entry["kind"] for entry in entries] == ["accepted", "no_words", "failed"]
        stories.append(entries[1])
        whole = await alice.get(path)
        assert (whole["title"], whole["status"]) == (None, "failed")
        assert not any((whole["content"] or {}).values())
    assert [story["detail"] for story in stories] == [
        {"field": "title", "variable": "order.number"},
        {"field": "title", "variable": "order.number"},
        {"field": "content.text", "variable": "name"},
        {"field": "content.text", "variable": "name"},
        {"field": "title", "variable": "order.number"},
        {"field": "title", "variable": "order.number"},
    ]
    assert stories[1]["summary"] == (
        "It could not be put into words, because a variable is missing: order.number in title."
    )
    assert "Bcc" not in str(stories)


async def test_without_variables_words_are_taken_as_they_stand(alice: Caller, database: Database) -> None:
    await sent(alice, filled(None, None, title="{{ a b", content="{{ name }}"))
    await sent(alice, batch(user_ids=["ada"], title="{{ a b", content="{{ name }}"))
    assert {(row["title"], row["body_text"]) for row in await rows(database, alice)} == {("{{ a b", "{{ name }}")}


async def test_variables_of_nothing_fill_words_without_places(alice: Caller, database: Database) -> None:
    await sent(alice, filled({}, None, title="Closed", content="a {b} }}"))
    assert [(row["title"], row["body_text"]) for row in await rows(database, alice)] == [("Closed", "a {b} }}")] * 2


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"title": "{{"}, "malformed_placeholder", "/title"),
        ({"content": "{{ a b }}"}, "malformed_placeholder", "/content/text"),
        ({"content": {"html": "{{ a | upper }}"}}, "malformed_placeholder", "/content/html"),
        ({"content": "{{a}}" * 201}, "too_many_placeholders", "/content/text"),
    ],
)
async def test_a_malformed_placeholder_refuses_the_whole(
    alice: Caller, changes: dict[str, Any], code: str, place: str
) -> None:
    answer = await alice.post("/notifications/batch", filled({}, None, **changes))
    assert problem(answer) == (422, code, [place])
    assert (await alice.get("/notifications"))["items"] == []


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        (None, "wrong_type"),
        ([], "wrong_type"),
        ({"a": "x" * 17_000}, "variables_too_large"),
        ({"a": [[[[[[[[[1]]]]]]]]]}, "variables_too_deep"),
        ({"a": "\0"}, "invalid_characters"),
        ({"a": 10**40}, "number_out_of_range"),
    ],
)
async def test_variables_have_bounds(alice: Caller, variables: Any, code: str) -> None:
    body = batch(recipients=[{"user_id": "ada"}, {"user_id": "bob", "variables": variables}])
    assert problem(await alice.post("/notifications/batch", body)) == (422, code, ["/recipients/1/variables"])


async def test_what_everybody_is_told_together_has_a_limit(alice: Caller, database: Database) -> None:
    heavy = [{"name": "x" * 16_000} for _ in range(51)]
    text = {"text": "{{ name }}" * 62}
    answer = await alice.post("/notifications/batch", filled(*heavy, title="Closed", content=text))
    assert problem(answer) == (413, "batch_too_large", [])
    assert await rows(database, alice) == []
    job = await sent(alice, filled(*heavy[:12], {"name": "x" * 16_300}, title="Closed", content=text))
    assert await failures(alice, job) == [("user_12", "variable_invalid")]
    written = await rows(database, alice)
    assert {len(row["body_text"]) for row in written[:12]} == {62 * 16_000}


async def test_a_repetition_is_the_same_job_and_other_variables_another_request(alice: Caller) -> None:
    body = filled(order("Ada", 1), {})
    first = await sent(alice, body, Idempotency_Key="k")
    again = await alice.post("/notifications/batch", body, Idempotency_Key="k")
    assert (again.json()["job_id"], again.json()["counts"]) == (first["job_id"], first["counts"])
    other = await alice.post("/notifications/batch", filled(order("Ada", 2), {}), Idempotency_Key="k")
    assert problem(other) == (422, "idempotency_key_reused", [])


async def test_what_has_no_words_is_not_opened_again(alice: Caller, decoy: Caller) -> None:
    job = await sent(alice, filled(order("Ada", 1), {}, {"name": "x"}))
    done = (await alice.post(f"/jobs/{job['job_id']}/retry")).json()
    assert done["outcome"] == {"retried": 0, "already_sent": 0, "rate_limited": 0, "no_words": 2}
    assert done["counts"] == job["counts"]
    [failure, _] = (await alice.get(f"/jobs/{job['job_id']}/failures"))["items"]
    path = f"/notifications/{failure['notification_id']}/retry"
    assert problem(await alice.post(path)) == (409, "no_words", [])
    assert problem(await decoy.post(path)) == (404, "not_found", [])
    assert problem(await decoy.post(f"/jobs/{job['job_id']}/retry")) == (404, "not_found", [])
    assert (await alice.get(f"/notifications/{failure['notification_id']}/status"))["reason"] == "variable_missing"


async def test_who_gets_nothing_is_not_counted_as_addressed(
    database: Database, settings: Settings, tenants: Tenants
) -> None:
    async with limited(database, settings, tenants, user_rate_per_minute=1) as alice:
        await early_in_a_window()
        nobody = await sent(alice, filled({}, {}))
        assert nobody["counts"]["failed"] == 2
        mixed = await sent(alice, filled(order("Ada", 1), {}))
        assert (mixed["counts"]["open"], mixed["counts"]["failed"]) == (1, 1)
        both = await sent(alice, filled(order("Ada", 1), order("Bob", 2), {}))
        assert await failures(alice, both) == [("user_0", "user_rate_limited"), ("user_2", "variable_missing")]
        retried = (await alice.post(f"/jobs/{both['job_id']}/retry")).json()
        assert retried["outcome"] == {"retried": 0, "already_sent": 0, "rate_limited": 1, "no_words": 1}
