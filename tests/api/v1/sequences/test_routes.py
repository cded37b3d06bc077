"""Sequences and enrolments over the wire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import ENROLMENT, SEQUENCE, new_id, public_id
from tests.api.conftest import Caller, problem
from tests.fixtures.templates import template

STEP: dict[str, Any] = {"title": "Welcome, {{ name }}", "content": "Good to have you here."}
TRIAL: dict[str, Any] = {
    "name": "trial",
    "channel": "in_app",
    "steps": [STEP, {"title": "Three tips", "content": {"text": "Did you know?"}, "delay": "P3D", "at": "09:00"}],
    "stop_on": ["subscribed"],
}
ADA = {"user_id": "ada", "variables": {"name": "Ada"}}


async def made(caller: Caller, **changes: Any) -> str:
    answer = await caller.post("/sequences", {**TRIAL, **changes})
    assert answer.status_code == 201, answer.text
    return f"/sequences/{answer.json()['id']}"


async def test_a_sequence_is_read_as_it_was_written(alice: Caller) -> None:
    path = await made(alice)
    shown = await alice.get(path)
    assert (shown["name"], shown["version"], shown["stop_on"]) == ("trial", 1, ["subscribed"])
    assert [(one["position"], one["delay"], one["at"]) for one in shown["steps"]] == [
        (1, 0, None),
        (2, 259_200, "09:00"),
    ]
    assert shown["steps"][0]["message"]["title"] == STEP["title"]
    [listed] = (await alice.get("/sequences"))["items"]
    assert listed["id"] == shown["id"]


async def test_a_template_set_is_its_steps(alice: Caller, database: Database) -> None:
    await template(database, alice.tenant, "welcome", ["name"])
    entries = [{"template": "welcome"}, {"template": "welcome", "delay": "P3D"}]
    assert (await alice.post("/template-sets", {"name": "onboarding", "entries": entries})).status_code == 201
    path = await made(alice, steps=None, template_set="onboarding")
    shown = (await alice.get(path))["steps"]
    assert [(one["delay"], one["after_previous"]) for one in shown] == [(0, True), (259_200, True)]
    assert {one["message"]["template"][:5] for one in shown} == {"tmpl_"}


async def test_writing_anew_is_a_new_version(alice: Caller) -> None:
    path = await made(alice)
    first = (await alice.post(f"{path}/enrolments", ADA)).json()
    answer = await alice.wire.put(f"/api/v1{path}", json={**TRIAL, "steps": [STEP]})
    assert (answer.status_code, answer.json()["version"], len(answer.json()["steps"])) == (200, 2, 1)
    again = await alice.get(f"{path}/enrolments/{first['id']}")
    assert (again["version"], len(again["steps"])) == (1, 2)
    assert (await alice.post(f"{path}/enrolments", {"user_id": "bob"})).json()["version"] == 2


async def test_an_enrolment_shows_its_steps(alice: Caller) -> None:
    path = await made(alice)
    contact = {"addresses": {}, "time_zone": "Europe/Paris"}
    await alice.wire.put("/api/v1/contacts/ada", json=contact)
    answer = await alice.post(f"{path}/enrolments", {**ADA, "anchor_at": "2026-11-01T12:00:00Z"})
    assert answer.status_code == 201, answer.text
    one = answer.json()
    assert (one["state"], one["time_zone"], one["user_id"]) == ("active", "Europe/Paris", "ada")
    assert [(step["state"], step["reason"], step["notification_id"]) for step in one["steps"]] == [
        ("skipped", "already_past", None),
        ("skipped", "already_past", None),
    ]
    assert one["steps"][1]["due_at"] == "2026-11-05T08:00:00Z"
    assert await alice.get(f"{path}/enrolments/{one['id']}") == one


async def test_nobody_goes_twice_at_once(alice: Caller) -> None:
    path = await made(alice)
    first, replayed = [await alice.post(f"{path}/enrolments", ADA, Idempotency_Key="ada") for _ in range(2)]
    assert (replayed.status_code, replayed.headers["idempotent-replayed"]) == (201, "true")
    assert replayed.json()["id"] == first.json()["id"]
    assert problem(await alice.post(f"{path}/enrolments", ADA))[:2] == (409, "already_enrolled")


async def test_many_are_enrolled_at_once(alice: Caller) -> None:
    path = await made(alice)
    await alice.post(f"{path}/enrolments", ADA)
    body = {"enrolments": [ADA, {"user_id": "bob"}, {"user_id": "eve"}]}
    first, replayed = [await alice.post(f"{path}/enrolments/batch", body, Idempotency_Key="many") for _ in range(2)]
    assert (first.status_code, first.json()["enrolled"], first.json()["already_enrolled"]) == (200, 2, 1)
    assert [one["enrolment_id"] is None for one in first.json()["items"]] == [True, False, False]
    assert (replayed.json(), replayed.headers["idempotent-replayed"]) == (first.json(), "true")
    page = await alice.get(f"{path}/enrolments", limit=2, state="active")
    rest = await alice.get(f"{path}/enrolments", limit=2, state="active", cursor=page["next_cursor"])
    assert {one["user_id"] for one in (*page["items"], *rest["items"])} == {"ada", "bob", "eve"}
    assert (await alice.get(f"{path}/enrolments", state="stopped"))["items"] == []


async def test_a_stop_by_hand_and_by_an_event(alice: Caller) -> None:
    path = await made(alice)
    one = (await alice.post(f"{path}/enrolments", ADA)).json()
    stopped = await alice.post(f"{path}/enrolments/{one['id']}/stop")
    assert (stopped.json()["state"], stopped.json()["reason"]) == ("stopped", "stopped")
    assert {step["state"] for step in stopped.json()["steps"]} == {"cancelled"}
    assert problem(await alice.post(f"{path}/enrolments/{one['id']}/stop"))[:2] == (409, "already_ended")
    again = (await alice.post(f"{path}/enrolments", ADA)).json()
    event = {"user_id": "ada", "event": "subscribed"}
    assert [(await alice.post("/sequences/events", event)).json() for _ in range(2)] == [{"stopped": 1}, {"stopped": 0}]
    assert (await alice.get(f"{path}/enrolments/{again['id']}"))["reason"] == "event:subscribed"


async def test_a_deleted_sequence_is_gone_with_its_enrolments(alice: Caller) -> None:
    path = await made(alice)
    one = (await alice.post(f"{path}/enrolments", ADA)).json()
    assert (await alice.wire.delete(f"/api/v1{path}")).status_code == 204
    for gone in (path, f"{path}/enrolments", f"{path}/enrolments/{one['id']}"):
        assert problem(await alice.wire.get(f"/api/v1{gone}"))[:2] == (404, "not_found")
    assert problem(await alice.post(f"{path}/enrolments", ADA))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("changes", "code", "places"),
    [
        ({"steps": None}, "steps_required", ["/steps"]),
        ({"template_set": "onboarding"}, "steps_required", ["/steps"]),
        ({"steps": None, "template_set": "nothing"}, "template_not_found", ["/template_set"]),
        ({"steps": []}, None, ["/steps"]),
        ({"steps": [STEP] * 51}, None, ["/steps"]),
        ({"steps": [{**STEP, "delay": "-P1D", "after_previous": True}]}, "out_of_range", ["/steps/0/delay"]),
        ({"steps": [{**STEP, "delay": "P400D"}]}, None, ["/steps/0/delay"]),
        ({"steps": [{**STEP, "delay": "--P1D"}]}, "invalid_duration", ["/steps/0/delay"]),
        ({"steps": [{**STEP, "delay": "tomorrow"}]}, "invalid_duration", ["/steps/0/delay"]),
        ({"steps": [{**STEP, "at": "24:00"}]}, None, ["/steps/0/at"]),
        ({"steps": [{**STEP, "at": "9:00"}]}, None, ["/steps/0/at"]),
        ({"steps": [{**STEP, "at": "09:00 or so"}]}, None, ["/steps/0/at"]),
        ({"steps": [{**STEP, "at": "09:00\n"}]}, None, ["/steps/0/at"]),
        ({"steps": [{**STEP, "at": "٠٩:00"}]}, None, ["/steps/0/at"]),
        ({"steps": [{**STEP, "template": "welcome"}]}, "template_or_content", ["/steps/0/title"]),
        ({"steps": [{"template": "nothing"}]}, "template_not_found", ["/steps/0/template"]),
        ({"steps": [{"template_set": "onboarding"}]}, "template_or_content", ["/steps/0/template_set"]),
        ({"steps": [{"title": "a"}]}, "field_required", ["/steps/0/content"]),
        ({"steps": [{**STEP, "title": "Hello {{ name"}]}, None, ["/steps/0/title"]),
        ({"channel": None}, "channel_required", ["/channel"]),
        ({"metadata": {"email": "a@b.de"}}, "shared_address", ["/metadata/email"]),
        ({"stop_on": ["e"] * 21}, None, ["/stop_on"]),
        ({"colour": "red"}, None, ["/colour"]),
    ],
)
async def test_what_makes_no_sense_is_named(
    alice: Caller, changes: dict[str, Any], code: str | None, places: list[str]
) -> None:
    status, said, where = problem(await alice.post("/sequences", {**TRIAL, **changes}))
    assert status == 422
    assert said == code or code is None
    assert where == places
    assert (await alice.get("/sequences"))["items"] == []


FAR = (datetime.now(UTC) + timedelta(days=367)).isoformat()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"user_id": "ada", "anchor_at": FAR}, "out_of_range"),
        ({"user_id": "ada", "anchor_at": "9999-12-31T23:59:59Z"}, "out_of_range"),
        ({"user_id": "ada", "anchor_at": "0001-01-01T00:00:00Z"}, "out_of_range"),
        ({"user_id": "ada", "anchor_at": "2026-12-01T00:00:00"}, "offset_required"),
        ({"user_id": "", "anchor_at": FAR}, None),
        ({"user_id": "ada", "variables": {"a": "\0"}}, "invalid_characters"),
    ],
)
async def test_an_enrolment_that_makes_no_sense(alice: Caller, body: dict[str, Any], code: str | None) -> None:
    path = await made(alice)
    status, said, _ = problem(await alice.post(f"{path}/enrolments", body))
    assert (status, said if code else None) == (422, code)
    status, said, _ = problem(await alice.post(f"{path}/enrolments/batch", {"enrolments": [body]}))
    assert (status, said if code else None) == (422, code)


async def test_nobody_is_named_twice(alice: Caller) -> None:
    path = await made(alice)
    answer = await alice.post(f"{path}/enrolments/batch", {"enrolments": [ADA, {"user_id": "bob"}, ADA]})
    assert problem(answer) == (422, "duplicate_recipient", ["/enrolments/2"])


async def test_an_id_that_is_none(alice: Caller) -> None:
    path = await made(alice)
    for name in ("seq_1", "events", public_id(SEQUENCE, new_id())):
        assert problem(await alice.wire.get(f"/api/v1/sequences/{name}"))[:2] == (404, "not_found")
    for name in ("enr_1", "batch", public_id(ENROLMENT, new_id())):
        assert problem(await alice.wire.get(f"/api/v1{path}/enrolments/{name}"))[:2] == (404, "not_found")
