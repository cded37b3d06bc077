"""Nothing of another tenant is to be had, on any route, by any id, in any list or count."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from api.app import create_app
from postroom.database.engine import Database
from postroom.identity import (
    CAMPAIGN,
    DIGEST,
    ENDPOINT,
    ENROLMENT,
    FEEDBACK_SOURCE,
    INBOX,
    JOB,
    MAIL_DOMAIN,
    NOTIFICATION,
    SCHEDULE,
    SENDER_SERVICE,
    SEQUENCE,
    SUPPRESSION,
    TASK,
    TEMPLATE,
    TEMPLATE_SET,
    new_id,
    public_id,
)
from postroom.settings import Settings
from tests.api.conftest import Caller, problem
from tests.digests.ground import Ground
from tests.fixtures.frozen_tasks import sending_task
from tests.fixtures.inbox import put_into_inbox
from tests.fixtures.rows import Draft

OPEN = {"/health", "/ready"}
MAKING = {
    ("put", "/api/v1/contacts/{user_id}"),
    ("put", "/api/v1/contacts/{user_id}/preferences"),
    ("put", "/api/v1/notification-types/{name}"),
    ("put", "/api/v1/settings/variables/{name}"),
    ("post", "/api/v1/tags/{tag}/contacts"),
    ("put", "/api/v1/audiences/{name}"),
}
WEEKLY: Mapping[str, Any] = {
    "name": "weekly",
    "message": {"channel": "in_app", "title": "Your week", "content": "x"},
    "audience": {"all": True},
    "cron": "0 9 * * mon",
}
STEPS: Mapping[str, Any] = {"name": "trial", "channel": "in_app", "steps": [{"title": "Welcome", "content": "x"}]}
BULK: Mapping[str, Any] = {"name": "mallory's", "rule": {"everyone": True}, "content": {"template": "decoy"}}
BODIES: Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]] = {
    "/campaigns/{id}": {"name": "mallory's"},
    "/tasks/{id}": {**BULK, "version": 1},
    "/tasks/{id}/approve": {"content_hash": "0" * 64, "audience": 1},
    "/tasks/{id}/retry": {},
    "/campaigns/{id}/retry": {},
    "/skip": {"user_id": "decoy-person"},
    "/pace": {"per_minute": 1},
    "/schedules/{id}": WEEKLY,
    "/sequences/{id}": STEPS,
    "/enrolments": {"user_id": "mallory"},
    "/enrolments/batch": {"enrolments": [{"user_id": "mallory"}]},
    "/reschedule": {"delay": 60},
    "/contacts/{user_id}": {"addresses": {"email": "mallory@shop.de"}},
    "/replay": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
    "/webhook-endpoints/{id}": {"description": "mallory's"},
    "/templates/{ref}": {"name": "decoy", "channel": "in_app", "content": "mallory's"},
    "/approve": {"content_hash": "0" * 64},
    "/reject": {},
    "/preview": {},
    "/preflight": {},
    "/test-send": {"to": "mallory@shop.de"},
    "/retire": {},
    "/template-sets/{ref}": {"name": "decoy", "entries": [{"template": "decoy"}]},
    "/settings/variables/{name}": {"value": "mallory's"},
    "/tags/{tag}": {"name": "mallory's"},
    "/audiences/{name}": {"rule": {"everyone": True}},
    "/admin/sender-services/{id}": {"name": "mallory's", "kind": "smtp", "url": "smtps://mallory.example"},
    "/set-status": {"status": "frozen"},
    "/users/{user_id}/sender-services": [{"service_id": "svc_x", "action": "add"}],
}


def operations(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every route of the API that names something."""
    for path, methods in create_app(settings).openapi()["paths"].items():
        if path not in OPEN and "{" in path:
            yield from ((method, path) for method in methods)


def body_for(path: str) -> Mapping[str, Any] | Sequence[Mapping[str, Any]] | None:
    return next((body for ending, body in BODIES.items() if path.endswith(ending)), None)


@pytest.fixture
async def belongings(decoy: Caller, database: Database) -> dict[str, str]:
    """What the decoy owns: one of everything that has an id."""
    known = {"addresses": {"email": "decoy@shop.de"}, "tags": ["decoy_tag"]}
    await decoy.wire.put("/api/v1/contacts/decoy-person", json=known)
    rule = {"rule": {"tags": {"any": ["decoy_tag"]}}}
    await decoy.wire.put("/api/v1/audiences/decoy_audience", json=rule)
    notification = await decoy.sent(user_id="decoy-person", title="decoy title")
    message = await put_into_inbox(database, decoy.tenant.id, notification, "decoy-person")
    many = {"user_ids": ["decoy-person"], "channel": "email", "title": "decoy title", "content": "x", "delay": 60}
    job = (await decoy.post("/notifications/batch", many)).json()["job_id"]
    url = "https://decoy.example.com/hook"
    endpoint = (await decoy.post("/webhook-endpoints", {"url": url})).json()["id"]
    await decoy.wire.put("/api/v1/settings/variables/decoy_name", json={"value": "decoy"})
    written = {"name": "decoy", "channel": "in_app", "content": "decoy {{ x }}", "status": "active"}
    template = (await decoy.post("/templates", written)).json()["id"]
    entries = {"name": "decoy", "entries": [{"template": "decoy"}]}
    template_set = (await decoy.post("/template-sets", entries)).json()["id"]
    kind = {"group": "decoys", "class": "marketing", "description": "decoy description"}
    await decoy.wire.put("/api/v1/notification-types/decoy_type", json=kind)
    said = {"preferences": [{"notification_type": "decoy_type", "channel": "email", "enabled": False}]}
    await decoy.wire.put("/api/v1/contacts/decoy-person/preferences", json=said)
    ground = Ground(database, decoy.tenant.id, decoy.tenant.slug)
    await ground.waits(Draft(decoy.tenant.id, user_id="decoy-person"))
    unwanted = {"channel": "email", "address": "nobody@shop.de"}
    suppression = (await decoy.post("/suppressions", unwanted)).json()["items"][0]["id"]
    told = {"vendor": "postmark", "name": "decoy source", "secret": "user:pass"}
    source = (await decoy.post("/feedback/sources", told)).json()["id"]
    schedule = (await decoy.post("/schedules", {**WEEKLY, "name": "decoy weekly"})).json()["id"]
    sequence = (await decoy.post("/sequences", {**STEPS, "name": "decoy trial"})).json()["id"]
    domain = (await decoy.post("/mail-domains", {"domain": "decoy.example.com"})).json()["id"]
    relay = {"name": "decoy relay", "kind": "smtp", "url": "smtps://decoy.example.com"}
    service = (await decoy.post("/admin/sender-services", relay)).json()["id"]
    enrolment = (await decoy.post(f"/sequences/{sequence}/enrolments", {"user_id": "decoy-person"})).json()["id"]
    task = await sending_task(database, decoy.tenant.id, 3)
    return {
        "tasks": public_id(TASK, task.id),
        "campaigns": public_id(CAMPAIGN, task.campaign_id),
        "recipients": "decoy-person",
        "digests": public_id(DIGEST, (await ground.digest())["id"]),
        "schedules": schedule,
        "sequences": sequence,
        "enrolments": enrolment,
        "sender-services": service,
        "notifications": notification,
        "inbox": message,
        "jobs": job,
        "webhook-endpoints": endpoint,
        "mail-domains": domain,
        "users": "decoy-person",
        "contacts": "decoy-person",
        "tags": "decoy_tag",
        "audiences": "decoy_audience",
        "templates": template,
        "versions": "1",
        "template-sets": template_set,
        "variables": "decoy_name",
        "notification-types": "decoy_type",
        "suppressions": suppression,
        "sources": source,
        "exports": "anything",  # who has the signed name may read it; nobody else can make one
    }


def filled(path: str, names: Mapping[str, str]) -> str:
    """Put in what each parameter names, by the word before it."""
    return re.sub(r"/([a-z-]+)/\{[a-z_]+\}", lambda found: f"/{found[1]}/{names[found[1]]}", path)


async def test_every_route_hides_the_other_tenant(
    alice: Caller, decoy: Caller, belongings: dict[str, str], settings: Settings
) -> None:
    absent = {
        "tasks": public_id(TASK, new_id()),
        "campaigns": public_id(CAMPAIGN, new_id()),
        "recipients": "nobody",
        "schedules": public_id(SCHEDULE, new_id()),
        "sequences": public_id(SEQUENCE, new_id()),
        "enrolments": public_id(ENROLMENT, new_id()),
        "sender-services": public_id(SENDER_SERVICE, new_id()),
        "notifications": public_id(NOTIFICATION, new_id()),
        "digests": public_id(DIGEST, new_id()),
        "inbox": public_id(INBOX, new_id()),
        "jobs": public_id(JOB, new_id()),
        "webhook-endpoints": public_id(ENDPOINT, new_id()),
        "mail-domains": public_id(MAIL_DOMAIN, new_id()),
        "users": "nobody",
        "contacts": "nobody",
        "tags": "nothing",
        "audiences": "nothing",
        "templates": public_id(TEMPLATE, new_id()),
        "versions": "1",
        "template-sets": public_id(TEMPLATE_SET, new_id()),
        "variables": "nobodys_name",
        "notification-types": "nothing",
        "suppressions": public_id(SUPPRESSION, new_id()),
        "sources": public_id(FEEDBACK_SOURCE, new_id()),
        "exports": "nothing",
    }
    seen = 0
    for method, path in operations(settings):
        if (method, path) in MAKING:
            continue  # writing makes one's own; the next tests look at it
        theirs = await alice.wire.request(method, filled(path, belongings), json=body_for(path))
        nobodys = await alice.wire.request(method, filled(path, absent), json=body_for(path))
        assert theirs.status_code == nobodys.status_code, (method, path)
        assert shape(theirs.text) == shape(nobodys.text), (method, path)
        assert "decoy" not in re.sub(r"decoy-person|decoy_type", "", theirs.text)
        if "{id}" in path or "{ref}" in path or "{name}" in path:
            assert problem(theirs)[:2] == (404, "not_found"), (method, path)
        seen += 1
    assert seen >= 76
    campaign, task = [await decoy.get(f"/{noun}/{belongings[noun]}") for noun in ("campaigns", "tasks")]
    assert (campaign["state"], campaign["tasks"]) == ("active", {"sending": 1})
    assert (task["name"] != "mallory's", task["state"], task["version"], task["pace"]) == (True, "sending", 1, {})
    assert (await decoy.get(f"/webhook-endpoints/{belongings['webhook-endpoints']}"))["description"] is None
    untouched = await decoy.get(f"/mail-domains/{belongings['mail-domains']}")
    assert (untouched["state"], untouched["checked_at"], len(untouched["keys"])) == ("unverified", None, 1)
    assert (await decoy.get(f"/notifications/{belongings['notifications']}/status"))["status"] == "pending"
    assert (await decoy.get("/users/decoy-person/inbox/unread-count")) == {"unread": 1}
    trial = f"/sequences/{belongings['sequences']}"
    assert ((await decoy.get(trial))["name"], (await decoy.get(trial))["version"]) == ("decoy trial", 1)
    [only] = (await decoy.get(f"{trial}/enrolments"))["items"]
    assert (only["user_id"], only["state"]) == ("decoy-person", "active")
    kept = await decoy.get(f"/schedules/{belongings['schedules']}")
    assert (kept["name"], kept["state"], kept["last_runs"]) == ("decoy weekly", "active", [])
    relay = await decoy.get(f"/admin/sender-services/{belongings['sender-services']}")
    assert (relay["name"], relay["status"]) == ("decoy relay", "active")
    assert (await decoy.get(f"/jobs/{belongings['jobs']}"))["counts"]["open"] == 1
    template = await decoy.get(f"/templates/{belongings['templates']}")
    assert (template["status"], template["newest_version"], template["archived_at"]) == ("in_review", 1, None)
    assert (await decoy.get("/template-sets/decoy"))["entries"] == [
        {"template_id": belongings["templates"], "delay_seconds": None}
    ]
    assert (await decoy.get("/settings/variables"))["variables"] == {"decoy_name": "decoy"}
    assert len((await decoy.get("/suppressions"))["items"]) == 1
    assert (await decoy.get("/audiences/decoy_audience"))["rule"] == {"tags": {"any": ["decoy_tag"]}}
    assert (await decoy.get("/tags"))["items"] == [{"tag": "decoy_tag", "contacts": 1}]
    assert [one["kind"] for one in (await decoy.get("/jobs"))["items"]] == ["batch"]


def shape(text: str) -> str:
    """What is said, but for what must differ: the request's name, the person's, and the link to their page."""
    text = re.sub(r'"(page_url|user_id)":"[^"]*"', "", text)
    return re.sub(r'"urn:postroom:request:[^"]*"', '"urn"', text)


async def test_lists_and_counts_are_ones_own(alice: Caller, belongings: dict[str, str]) -> None:
    mine = await alice.sent(user_id="decoy-person")
    for path in ("/notifications", "/users/decoy-person/notifications"):
        assert [one["id"] for one in (await alice.get(path))["items"]] == [mine]
    for path in ("/campaigns", "/tasks"):
        assert (await alice.get(path))["items"] == []
    assert (await alice.get("/tasks", campaign_id=belongings["campaigns"]))["items"] == []
    into = await alice.post("/tasks", {**BULK, "campaign_id": belongings["campaigns"]})
    assert problem(into)[:2] == (404, "not_found")
    theirs = await alice.get("/notifications", job_id=belongings["jobs"])
    assert (theirs["items"], (await alice.get("/jobs"))["items"]) == ([], [])
    assert (await alice.get("/stats"))["total"] == 1
    assert await alice.get("/users/decoy-person/inbox/unread-count") == {"unread": 0}
    assert (await alice.get("/users/decoy-person/inbox"))["items"] == []
    for path in (
        "/webhook-endpoints",
        "/mail-domains",
        "/templates",
        "/template-sets",
        "/settings/review/events",
        "/admin/sender-services",
    ):
        assert (await alice.get(path))["items"] == []
    assert (await alice.get("/settings/variables"))["variables"] == {}


async def test_the_same_name_is_two_templates(alice: Caller, decoy: Caller, belongings: dict[str, str]) -> None:
    written = {"name": "decoy", "channel": "in_app", "content": "mine"}
    assert (await alice.post("/templates", written)).status_code == 201
    assert (await alice.post("/template-sets", {"name": "decoy", "entries": [{"template": "decoy"}]})).is_success
    theirs = {"name": "other", "entries": [{"template": belongings["templates"]}]}
    assert problem(await alice.post("/template-sets", theirs))[2] == ["/entries/0/template"]
    assert (await alice.wire.put("/api/v1/settings/review", json={"required": False})).is_success
    assert (await alice.wire.put("/api/v1/settings/variables/decoy_name", json={"value": "mine"})).is_success
    assert await decoy.get("/settings/review") == {"required": True}
    assert (await decoy.get("/settings/variables/decoy_name"))["value"] == "decoy"
    assert (await decoy.get("/templates/decoy"))["newest"]["variants"][0]["languages"]["en"]["text"] == "decoy {{ x }}"


async def test_the_other_tenants_words_are_not_to_be_sent_to_many(alice: Caller, belongings: dict[str, str]) -> None:
    for content in ({"template": belongings["templates"]}, {"template_set": belongings["template-sets"]}):
        answer = await alice.post("/campaigns/send", {**BULK, "content": content})
        assert problem(answer)[1] == "template_not_found"


@pytest.mark.parametrize(("field", "noun"), [("template_id", "templates"), ("template_set", "template-sets")])
async def test_the_other_tenants_words_are_not_to_be_sent(
    alice: Caller, belongings: dict[str, str], field: str, noun: str
) -> None:
    letter = {"user_id": "ada", "channel": "in_app"}
    names = (belongings[noun], "decoy", "nobody")
    answers = [await alice.post("/notifications", letter | {field: name}) for name in names]
    assert {problem(answer)[1] for answer in answers} == {"template_not_found"}
    assert len({shape(answer.text) for answer in answers}) == 1
    assert (await alice.get("/webhook-endpoints"))["items"] == []
    assert ((await alice.get("/contacts"))["items"], (await alice.get("/notification-types"))["items"]) == ([], [])
    assert ((await alice.get("/contacts", tag="decoy_tag"))["items"], (await alice.get("/tags"))["items"]) == ([], [])
    assert (await alice.get("/audiences"))["items"] == []
    theirs = await alice.post("/audiences/count", {"rule": {"audience": "decoy_audience"}})
    assert problem(theirs)[1] == "audience_not_found"
    tagged = await alice.post("/tags/decoy_tag/contacts", {"add": ["decoy-person"], "remove": ["decoy-person"]})
    assert (tagged.json()["added"], tagged.json()["removed"], tagged.json()["unknown"]) == (0, 0, 1)
    assert (await alice.get("/subscriptions", user_id="decoy-person"))["items"] == []
    assert (await alice.get("/suppressions"))["items"] == []
    asked = {"channel": "email", "address": "nobody@shop.de"}
    assert (await alice.post("/suppressions/check", asked)).json() == {"suppressed": False, "items": []}
    assert (await alice.get("/schedules"))["items"] == []
    assert (await alice.get("/sequences"))["items"] == []
    assert (await alice.get("/feedback/sources"))["items"] == []
    event = {"user_id": "decoy-person", "event": "subscribed"}
    assert (await alice.post("/sequences/events", event)).json() == {"stopped": 0}


async def test_the_same_name_is_two_people(alice: Caller, decoy: Caller, belongings: dict[str, str]) -> None:
    written = await alice.wire.put("/api/v1/contacts/decoy-person", json={"addresses": {"email": "mine@shop.de"}})
    assert written.status_code == 201
    assert (await decoy.get("/contacts/decoy-person"))["addresses"] == {"email": "decoy@shop.de"}
    assert (await alice.post("/users/decoy-person/inbox/read-all")).json() == {"read": 0}
    kind = {"group": "mine", "class": "transactional"}
    assert (await alice.wire.put("/api/v1/notification-types/decoy_type", json=kind)).status_code == 201
    assert (await decoy.get("/notification-types/decoy_type"))["group"] == "decoys"
    mine = await alice.wire.put("/api/v1/contacts/decoy-person/preferences", json={"paused_until": "forever"})
    assert (mine.status_code, mine.json()["preferences"]) == (200, [])
    theirs = await decoy.get("/contacts/decoy-person/preferences")
    assert (theirs["paused_until"], len(theirs["preferences"])) == (None, 1)
    assert await decoy.get("/users/decoy-person/inbox/unread-count") == {"unread": 1}


async def test_a_cursor_of_another_tenant_is_no_cursor(alice: Caller, decoy: Caller) -> None:
    for _ in range(2):
        await decoy.sent()
    cursor = (await decoy.get("/notifications", limit=1))["next_cursor"]
    answer = await alice.wire.get("/api/v1/notifications", params={"limit": 1, "cursor": cursor})
    assert problem(answer) == (422, "invalid_cursor", [])


async def test_the_other_tenants_name_tells_nothing(alice: Caller, decoy: Caller) -> None:
    answers = [await alice.send(tenant_id=name) for name in (decoy.tenant.slug, str(decoy.tenant.id), "nobody")]
    assert {problem(answer)[1] for answer in answers} == {"tenant_mismatch"}
    assert len({shape(answer.text) for answer in answers}) == 1
