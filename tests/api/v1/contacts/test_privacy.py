"""Exports and erasures are asked for, followed and fetched through the API."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest

from postroom.database.engine import Database
from postroom.identity import JOB, parse_id
from postroom.privacy.erasing import Eraser
from postroom.privacy.exporting import Exporter
from postroom.privacy.rounds import PersonRounds
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from postroom.tenants.secrets import Seal
from tests.api.conftest import Caller, calling, problem
from tests.fixtures.database import Tenants
from tests.fixtures.plain_http import plain_client
from tests.fixtures.rows import rows

AUDIT = "SELECT kind, api_key_id, person_hash FROM person_events WHERE job_id = %s ORDER BY id"


@pytest.fixture
def people(database: Database, settings: Settings) -> PersonRounds:
    """The worker's loop."""
    pepper = settings.pepper.get_secret_value().encode()
    seal = Seal.parse(settings.sealing_keys.get_secret_value())
    return PersonRounds(database, settings.timing(), Eraser(pepper), Exporter(pepper, seal))


@pytest.fixture
async def ada(alice: Caller) -> str:
    """A person with an awkward name, an address and two messages that wait."""
    user_id = "team/ada erasure"
    await alice.wire.put(f"/api/v1/contacts/{user_id}", json={"addresses": {"email": "ada@bücher.de"}})
    for _ in range(2):
        await alice.sent(user_id=user_id, metadata={}, delay=600)
    return user_id


@pytest.fixture
async def stranger(api_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody without a key."""
    async with plain_client(base_url=api_url, timeout=20) as wire:
        yield wire


def job_of(answer: httpx2.Response) -> tuple[str, UUID]:
    assert answer.status_code == 202, answer.text
    text = str(answer.json()["job_id"])
    return text, parse_id(JOB, text)


async def test_an_erasure_is_a_job_that_adds_up(  # noqa: PLR0913 - one fixture each
    alice: Caller, decoy: Caller, ada: str, people: PersonRounds, database: Database
) -> None:
    await decoy.sent(user_id=ada)
    answer = await alice.post(f"/contacts/{ada}/erasure")
    name, job = job_of(answer)
    begun = answer.json()
    assert (begun["kind"], begun["status"], begun["total"]) == ("erasure", "processing", 3)
    assert begun["counts"] == {"open": 3, "done": 0}
    assert answer.headers["location"] == f"/api/v1/jobs/{name}"
    assert (await alice.post(f"/contacts/{ada}/erasure")).json()["job_id"] == name

    await people.round()

    ended = await alice.get(f"/jobs/{name}")
    assert (ended["status"], ended["counts"]) == ("completed", {"open": 0, "done": 3})
    assert "result" not in ended
    assert (await alice.get("/jobs"))["items"][0] == ended
    assert (await alice.wire.get(f"/api/v1/contacts/{ada}")).status_code == 404
    mine = (await alice.get("/notifications"))["items"]
    assert {(one["status"], one["reason"], one["user_id"], one["title"]) for one in mine} == {
        ("skipped", "erased", None, None)
    }
    told = await alice.get(f"/notifications/{mine[0]['id']}/timeline")
    assert "erased" in json.dumps(told)
    assert "Hello" not in json.dumps(await alice.get(f"/notifications/{mine[0]['id']}"))
    assert (await decoy.get(f"/users/{ada}/notifications"))["items"][0]["status"] == "pending"
    assert problem(await alice.post(f"/contacts/{ada}/erasure")) == (404, "not_found", [])
    audit = await rows(database, AUDIT, job)
    assert [row["kind"] for row in audit] == ["erasure_requested", "erasure_completed"]
    assert audit[0]["api_key_id"] is not None
    assert len({bytes(row["person_hash"]) for row in audit}) == 1


async def test_erased_addresses_are_found_and_given_free_again(alice: Caller, ada: str, people: PersonRounds) -> None:
    await alice.post(f"/contacts/{ada}/erasure")
    await people.round()
    asked = {"channel": "email", "address": "ADA@xn--bcher-kva.de"}
    checked = (await alice.post("/suppressions/check", asked)).json()
    assert (checked["suppressed"], [one["reason"] for one in checked["items"]]) == (True, ["erased"])
    deleted = await alice.wire.delete(f"/api/v1/suppressions/{checked['items'][0]['id']}")
    assert deleted.status_code == 204
    assert not (await alice.post("/suppressions/check", asked)).json()["suppressed"]


async def test_an_export_is_fetched_with_a_key_or_by_its_link(  # noqa: PLR0913, PLR0917 - one fixture each
    alice: Caller, decoy: Caller, ada: str, people: PersonRounds, settings: Settings, stranger: httpx2.AsyncClient
) -> None:
    name, _ = job_of(await alice.post(f"/contacts/{ada}/export"))
    early = await alice.wire.get(f"/api/v1/jobs/{name}/result")
    assert problem(early) == (409, "not_finished", [])
    await people.round()

    told: dict[str, Any] = await alice.get(f"/jobs/{name}/result")
    assert (told["user_id"], len(told["notifications"])) == (ada, 2)
    assert told["contacts"][0]["addresses"] == {"email": "ada@xn--bcher-kva.de"}
    ended = await alice.get(f"/jobs/{name}")
    assert (ended["kind"], ended["status"], ended["counts"]) == ("export", "completed", {"open": 0, "done": 3})
    base, _, path = ended["result"]["url"].partition("/api/")
    assert base == settings.public_url
    by_link = await stranger.get(f"/api/{path}")
    assert (by_link.status_code, by_link.json()) == (200, told)
    assert by_link.headers["cache-control"] == "no-store"
    assert by_link.headers["content-disposition"].startswith("attachment")
    assert problem(await decoy.wire.get(f"/api/v1/jobs/{name}/result"))[:2] == (404, "not_found")
    history = (await alice.get(f"/jobs/{name}/events"))["items"]
    assert problem(await decoy.wire.get(f"/api/v1/jobs/{name}/events"))[:2] == (404, "not_found")
    fetched = [(one["kind"], one["api_key_id"] is None) for one in history]
    assert fetched == [
        ("export_requested", False),
        ("export_completed", True),
        ("export_fetched", False),
        ("export_fetched", True),
    ]


@pytest.mark.parametrize("name", ["x", "A" * 86, "é", "%00"])
async def test_a_link_that_was_not_made_here_leads_nowhere(stranger: httpx2.AsyncClient, name: str) -> None:
    assert problem(await stranger.get(f"/api/v1/exports/{name}"))[:2] == (404, "not_found")


async def test_a_batch_has_no_result(alice: Caller) -> None:
    many = {"user_ids": ["ada"], "channel": "email", "title": "Hi", "content": "x", "delay": 60}
    name = (await alice.post("/notifications/batch", many)).json()["job_id"]
    assert problem(await alice.wire.get(f"/api/v1/jobs/{name}/result")) == (404, "not_found", [])


@pytest.mark.parametrize("action", ["cancel", "retry"])
async def test_what_is_done_for_a_person_is_not_taken_back(alice: Caller, ada: str, action: str) -> None:
    name, _ = job_of(await alice.post(f"/contacts/{ada}/erasure"))
    assert problem(await alice.post(f"/jobs/{name}/{action}"))[0] == 409
    assert (await alice.get(f"/jobs/{name}/failures"))["items"] == []


async def test_a_request_that_comes_again_under_its_key_is_one(alice: Caller, ada: str, people: PersonRounds) -> None:
    first = await alice.post(f"/contacts/{ada}/export", Idempotency_Key="export-1")
    await people.round()
    again = await alice.post(f"/contacts/{ada}/export", Idempotency_Key="export-1")
    assert (again.status_code, again.json()["job_id"]) == (202, first.json()["job_id"])
    assert again.headers["idempotent-replayed"] == "true"
    other = await alice.post(f"/contacts/{ada}/erasure", Idempotency_Key="export-1")
    assert problem(other) == (422, "idempotency_key_reused", [])


async def test_a_key_needs_its_scope_and_sees_a_link_only_with_it(  # noqa: PLR0913, PLR0917 - one fixture each
    alice: Caller,
    ada: str,
    people: PersonRounds,
    database: Database,
    settings: Settings,
    api_url: str,
    tenants: Tenants,
) -> None:
    name, _ = job_of(await alice.post(f"/contacts/{ada}/export"))
    await people.round()
    plain = [Scope.NOTIFICATIONS_READ, Scope.CONTACTS_WRITE, Scope.CONTACTS_READ]
    async with calling(database, settings, api_url, tenants.alice, plain) as caller:
        assert "result" not in await caller.get(f"/jobs/{name}")
        for answer in (
            await caller.wire.get(f"/api/v1/jobs/{name}/result"),
            await caller.post(f"/contacts/{ada}/export"),
            await caller.post(f"/contacts/{ada}/erasure"),
            await caller.wire.get("/api/v1/suppressions"),
        ):
            assert problem(answer) == (403, "insufficient_scope", [])
