"""A tenant's policy is read and written whole, and can be tried out without sending anything."""

from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, problem
from tests.fixtures.rows import change, rows

CHOSEN = {
    "time_zone": "Europe/Paris",
    "quiet_hours": {"start": "21:30", "end": "07:00"},
    "caps": {"hour": 50, "per_class": {"marketing": {"hour": 2, "day": 5}}},
    "marketing_requires_consent": True,
}
DEFAULTS = {
    "time_zone": None,
    "quiet_hours": {"enabled": True, "start": "22:00", "end": "08:00"},
    "caps": {
        "hour": 100,
        "day": 500,
        "per_class": {"transactional": {"hour": 100, "day": 500}, "marketing": {"hour": 100, "day": 500}},
    },
    "marketing_requires_consent": False,
}
RULES = ["suppression", "consent", "subscription", "pause", "digest", "quiet_hours", "caps"]


async def put(caller: Caller, body: Any) -> Any:
    return await caller.wire.put("/api/v1/settings/policy", json=body)


async def ask(caller: Caller, **question: Any) -> Any:
    way = {} if "channel" in question else {"channels": ["in_app"]}
    answer = await caller.post("/policy/dry-run", {"user_id": "ada", **way, **question})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def over(caller: Caller, **question: Any) -> Any:
    [only] = (await ask(caller, **question))["channels"]
    return only


def said(outlook: Any, rule: str) -> Any:
    return next((one["finding"], one["said"]) for one in outlook["rules"] if one["rule"] == rule)


async def test_what_holds_before_anybody_chose(alice: Caller) -> None:
    assert await alice.get("/settings/policy") == DEFAULTS


async def test_a_choice_is_kept_whole(alice: Caller, decoy: Caller) -> None:
    written = (await put(alice, CHOSEN)).json()
    assert written == await alice.get("/settings/policy")
    assert written["quiet_hours"] == {"enabled": True, "start": "21:30", "end": "07:00"}
    assert written["caps"] == {
        "hour": 50,
        "day": 500,
        "per_class": {"transactional": {"hour": 50, "day": 500}, "marketing": {"hour": 2, "day": 5}},
    }
    assert await decoy.get("/settings/policy") == DEFAULTS
    assert (await put(alice, {})).json() == DEFAULTS


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({"time_zone": "Mars/X"}, "unknown_time_zone", "/time_zone"),
        ({"quiet_hours": {"start": "00:00", "end": "24:00"}}, "invalid_time", "/quiet_hours/end"),
        ({"quiet_hours": {"start": "22:00"}}, "quiet_hours_conflict", "/quiet_hours"),
        ({"caps": {"hour": 0}}, "out_of_range", "/caps/hour"),
        ({"caps": {"day": 20}}, "caps_conflict", ""),
        ({"caps": {"per_class": {"security": {"hour": 1}}}}, "unknown_field", "/caps/per_class/security"),
        ({"quiet": True}, "unknown_field", "/quiet"),
    ],
)
async def test_what_is_refused(alice: Caller, body: dict[str, Any], code: str, place: str) -> None:
    assert problem(await put(alice, body)) == (422, code, [place])


async def test_a_key_needs_its_scope(database: Database, settings: Settings, api_url: str, alice: Caller) -> None:
    async with calling(database, settings, api_url, alice.tenant, [Scope.POLICY_READ]) as reader:
        assert problem(await put(reader, CHOSEN))[:2] == (403, "insufficient_scope")
        assert (await over(reader))["verdict"] == "allow"
    async with calling(database, settings, api_url, alice.tenant, [Scope.POLICY_WRITE]) as writer:
        assert problem(await writer.wire.get("/api/v1/settings/policy"))[:2] == (403, "insufficient_scope")


async def test_every_rule_says_what_it_finds(alice: Caller) -> None:
    outlook = await over(alice)
    assert (outlook["verdict"], outlook["reason"], outlook["until"]) == ("allow", None, None)
    assert [one["rule"] for one in outlook["rules"]] == RULES
    assert {one["finding"] for one in outlook["rules"]} == {"passes"}
    assert said(outlook, "quiet_hours")[1].startswith("no zone is known")
    assert said(outlook, "caps")[1] == "0 of 100 per hour, 0 of 500 per day"


async def test_a_night_in_paris(alice: Caller) -> None:
    await put(alice, CHOSEN)
    night = await over(alice, at="2026-11-20T22:10:00Z")
    assert (night["verdict"], night["reason"], night["until"]) == ("defer", "quiet_hours", "2026-11-21T06:00:00Z")
    assert night["summary"] == "It would wait: quiet hours until 07:00 Europe/Paris."
    told = "quiet hours 21:30-07:00 Europe/Paris, the tenant's: Fri 23:10 there"
    assert said(night, "quiet_hours") == ("defer", told)
    urgent = await over(alice, at="2026-11-20T22:10:00Z", **{"class": "security"})
    assert (urgent["verdict"], urgent["bypassed"]) == ("allow", ["quiet_hours"])
    assert urgent["summary"] == f"It would go, in spite of: {told}; lifted: security."
    assert said(urgent, "quiet_hours") == ("lifted", f"{told}; lifted: security")
    assert (await over(alice, at="2026-11-20T12:00:00Z"))["verdict"] == "allow"


async def test_consent_and_addresses(alice: Caller) -> None:
    await put(alice, CHOSEN)
    offer = await over(alice, at="2026-11-20T12:00:00Z", **{"class": "marketing"})
    assert (offer["verdict"], offer["reason"]) == ("skip", "no_consent")
    letter = await ask(alice, channels=["email", "in_app", "webhook"], at="2026-11-20T12:00:00Z")
    assert [(one["channel"], one["verdict"], one["reason"]) for one in letter["channels"]] == [
        ("email", "skip", "no_address"),
        ("in_app", "allow", None),
        ("webhook", "skip", "no_address"),
    ]
    assert (letter["known"], letter["class"]) == (False, "transactional")
    given = await over(alice, channels=["email"], metadata={"email": "ada@shop.de"}, at="2026-11-20T12:00:00Z")
    assert given["verdict"] == "allow"


async def test_a_channel_is_named_as_for_a_send(alice: Caller) -> None:
    outlook = await over(alice, channel="email", metadata={"email": "ada@shop"})
    assert (outlook["channel"], outlook["verdict"]) == ("email", "skip")
    assert outlook["summary"] == "It would not be sent: the address is none that a message could go to."
    assert (await over(alice, channel="in_app"))["summary"] == "It would go."
    for ways, code, place in (
        ({}, "channel_required", "/channel"),
        ({"channel": "email", "channels": ["email"]}, "channel_required", "/channel"),
        ({"channels": ["email", "email"]}, "duplicate_channel", "/channels"),
    ):
        answer = await alice.post("/policy/dry-run", {"user_id": "ada", **ways})
        assert problem(answer) == (422, code, [place])


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
async def test_no_calendar_reaches_as_far_as_that(alice: Caller, at: str) -> None:
    answer = await alice.post("/policy/dry-run", {"user_id": "ada", "channel": "in_app", "at": at})
    assert problem(answer) == (422, "out_of_range", ["/at"])


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("at", ["2999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"])
async def test_the_ends_of_the_calendar(alice: Caller, zone: str, at: str) -> None:
    known = {"time_zone": zone, "quiet_hours": {"start": "00:00", "end": "23:59"}}
    assert (await alice.wire.put("/api/v1/contacts/ada", json=known)).status_code == 201
    weekly = {"preferences": [{"frequency": "weekly"}], "paused_until": "2999-12-31T23:59:59Z"}
    assert (await alice.wire.put("/api/v1/contacts/ada/preferences", json=weekly)).status_code == 200
    outlook = await over(alice, at=at, notification_type="news")
    assert said(outlook, "quiet_hours")[0] == "defer"
    assert said(outlook, "digest")[0] == "digest"


async def test_a_full_hour_is_explained_and_no_place_is_taken(alice: Caller, database: Database) -> None:
    full = """
        INSERT INTO contact_usage (tenant_id, user_id, channel, class, sent_at, held_by)
        SELECT %s, 'ada', 'in_app', 'transactional', array_agg(now() - interval '5 s'), array_agg(uuidv7())
        FROM generate_series(1, 100)
    """
    await change(database, full, alice.tenant.id)
    before = await rows(database, "SELECT * FROM contact_usage WHERE tenant_id = %s", alice.tenant.id)
    for _ in range(2):
        outlook = await over(alice)
        assert (outlook["verdict"], outlook["reason"]) == ("defer", "frequency_cap")
        assert said(outlook, "caps")[1] == "100 of 100 per hour, 100 of 500 per day"
    assert await rows(database, "SELECT * FROM contact_usage WHERE tenant_id = %s", alice.tenant.id) == before
    assert (await over(alice, **{"class": "marketing"}))["verdict"] == "allow"


async def test_the_class_is_the_types(alice: Caller, decoy: Caller, database: Database) -> None:
    declared = (
        "INSERT INTO notification_types (tenant_id, name, group_name, class) VALUES (%s, 'news', 'x', 'marketing')"
    )
    await change(database, declared, alice.tenant.id)
    assert (await ask(alice, notification_type="news"))["class"] == "marketing"
    assert (await ask(decoy, notification_type="news"))["class"] == "transactional"
    wrong = {"user_id": "ada", "channels": ["in_app"], "notification_type": "news", "class": "security"}
    assert problem(await alice.post("/policy/dry-run", wrong)) == (422, "class_conflicts_with_type", ["/class"])


async def test_another_tenants_person_is_nobody(alice: Caller, decoy: Caller, database: Database) -> None:
    person = "INSERT INTO contacts (tenant_id, user_id, paused_until) VALUES (%s, 'ada', 'infinity')"
    await change(database, person, decoy.tenant.id)
    assert (await over(decoy))["reason"] == "paused"
    mine = await ask(alice)
    assert (mine["known"], mine["channels"][0]["verdict"]) == (False, "allow")


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({"channels": ["fax"]}, "unknown_value", "/channels/0"),
        ({"at": "tomorrow"}, "invalid_time", "/at"),
        ({"user": "ada"}, "unknown_field", "/user"),
    ],
)
async def test_questions_that_cannot_be(alice: Caller, body: dict[str, Any], code: str, place: str) -> None:
    answer = await alice.post("/policy/dry-run", {"user_id": "ada", "channels": ["in_app"], **body})
    assert problem(answer) == (422, code, [place])


async def test_a_webhook_goes_to_an_endpoint_that_is_there(alice: Caller) -> None:
    url = "https://shop.example/hook"
    missing = await over(alice, channel="webhook", metadata={"webhook_url": url})
    assert (missing["verdict"], missing["reason"]) == ("skip", "no_such_endpoint")
    assert (await alice.post("/webhook-endpoints", {"url": url})).status_code == 201
    assert (await over(alice, channel="webhook", metadata={"webhook_url": url}))["verdict"] == "allow"
