"""A batch over webhooks goes to the tenant's own endpoints, or is refused with the place of every other URL."""

from typing import Any

import pytest

from postroom.database.engine import Database
from tests.api.conftest import Caller, problem
from tests.api.v1.notifications.test_batch import batch, rows
from tests.api.v1.webhooks.test_routes import URL, made

OTHER = "https://shop.example.com/other"
FOREIGN = "https://decoy.example.com/"


def to(*urls: Any, **changes: Any) -> dict[str, Any]:
    """A batch to as many people, each with a URL of their own; None for one without."""
    recipients = [
        {"user_id": f"user_{number}", "metadata": {} if url is None else {"webhook_url": url}}
        for number, url in enumerate(urls)
    ]
    return batch(**{"channels": ["webhook"], "recipients": recipients, **changes})


@pytest.fixture(autouse=True)
async def endpoints(alice: Caller, decoy: Caller) -> None:
    await made(alice)
    disabled = await made(alice, OTHER)
    await alice.wire.patch(f"/api/v1/webhook-endpoints/{disabled['id']}", json={"state": "disabled"})
    await made(decoy, FOREIGN)


async def test_urls_of_endpoints_are_taken_however_they_are_spelled(alice: Caller, database: Database) -> None:
    same = "HTTPS://Shop.Example.com:443/hooks"
    for body in (to(URL, same, None), to(None, None, metadata={"webhook_url": same})):
        answer = await alice.post("/notifications/batch", body)
        assert answer.status_code == 202, answer.text
    assert len(await rows(database, alice)) == 5


async def test_a_thousand_people_share_one_question(alice: Caller) -> None:
    answer = await alice.post("/notifications/batch", to(*[URL] * 999, FOREIGN))
    assert problem(answer) == (422, "no_such_endpoint", ["/recipients/999/metadata/webhook_url"])
    answer = await alice.post("/notifications/batch", to(*(f"{URL}/{number}" for number in range(1000))))
    assert answer.json()["detail"] == "1000 recipients are wrong."
    assert len(answer.json()["errors"]) == 100


@pytest.mark.parametrize(
    ("body", "code", "places"),
    [
        (to(URL, FOREIGN, "nonsense"), "no_such_endpoint", ["/recipients/1", "/recipients/2"]),
        (to(URL, None, ""), "no_such_endpoint", ["/recipients/2"]),
        (to(OTHER), "endpoint_disabled", ["/recipients/0"]),
        (to(OTHER, FOREIGN), "invalid_request", ["/recipients/0", "/recipients/1"]),
        (to(5), "url_not_allowed", ["/recipients/0"]),
        (to(URL, metadata={"webhook_url": FOREIGN}), "no_such_endpoint", [""]),
        (to(URL, metadata={"webhook_url": ""}), "no_such_endpoint", [""]),
        (to(URL, metadata={"webhook_url": 5}), "url_not_allowed", [""]),
    ],
)
async def test_any_other_is_named(alice: Caller, body: dict[str, Any], code: str, places: list[str]) -> None:
    answer = await alice.post("/notifications/batch", body)
    assert problem(answer) == (422, code, [f"{place}/metadata/webhook_url" for place in places])
    assert (await alice.get("/notifications"))["items"] == []


async def test_what_is_no_address_is_anything(alice: Caller) -> None:
    answer = await alice.post("/notifications/batch", to(FOREIGN, channels=["in_app"]))
    assert answer.status_code == 202, answer.text


async def test_a_repetition_is_answered_when_the_endpoint_is_gone(alice: Caller) -> None:
    endpoint = await made(alice, URL + "/new")
    body = to(URL + "/new")
    first = await alice.post("/notifications/batch", body, Idempotency_Key="k")
    await alice.wire.delete(f"/api/v1/webhook-endpoints/{endpoint['id']}")
    again = await alice.post("/notifications/batch", body, Idempotency_Key="k")
    assert (again.status_code, again.json()["job_id"]) == (202, first.json()["job_id"])
    assert problem(await alice.post("/notifications/batch", body))[1] == "no_such_endpoint"
