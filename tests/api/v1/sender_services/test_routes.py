"""Ways out for bulk mail over the API: written, tried, frozen, bound to keys; passwords never shown."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.sender_services.trying import TRIES_PER_MINUTE
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, limited, problem
from tests.channels.email.scripted import Scripted
from tests.fixtures.database import Tenants
from tests.fixtures.receiver import Reaction, receiving
from tests.fixtures.rows import change, rows

SMTP = {"name": "Main", "kind": "smtp", "url": "smtps://postroom@smtp.example.com", "password": "hunter22"}
AURORA = {"name": "Aurora", "kind": "http_mail", "vendor": "aurora", "account": "batch", "password": "hunter22"}
HOME = "/admin/sender-services"


async def made(caller: Caller, **changes: Any) -> dict[str, Any]:
    answer = await caller.post(HOME, {**SMTP, **changes})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def put(caller: Caller, service: str, body: dict[str, Any]) -> Any:
    return await caller.wire.put(f"/api/v1{HOME}/{service}", json=body)


async def key_of(database: Database, caller: Caller) -> str:
    [row] = await rows(database, "SELECT id FROM api_keys WHERE tenant_id = %s LIMIT 1", caller.tenant.id)
    return f"key_{row['id'].hex}"


@pytest.fixture
async def outside(database: Database, settings: Settings, tenants: Tenants) -> AsyncIterator[Caller]:
    """A caller of an API that lets mail servers stand on this machine, and has all the time for them."""
    async with limited(database, settings, tenants, tenant_servers_public_only=False, time_scale=1) as caller:
        yield caller


@pytest.fixture
async def patient(database: Database, settings: Settings, tenants: Tenants) -> AsyncIterator[Caller]:
    """A caller of an API that has all the time for mail servers, wherever they may stand."""
    async with limited(database, settings, tenants, time_scale=1) as caller:
        yield caller


async def test_a_password_is_sealed_and_never_shown(alice: Caller, database: Database) -> None:
    service = await made(alice, from_domains=["News.BÜCHER.de"], alert={"addresses": ["duty@shop.de"]})
    assert (service["has_password"], service["from_domains"]) == (True, ["news.xn--bcher-kva.de"])
    assert (service["status"], service["health"]["errors"], service["weight"]) == ("active", 0, 10)
    answer = await alice.wire.get(f"/api/v1{HOME}/{service['id']}")
    assert answer.json() == service
    assert "hunter22" not in answer.text
    [row] = await rows(database, "SELECT * FROM sender_services WHERE tenant_id = %s", alice.tenant.id)
    assert b"hunter22" not in row["secret"]
    assert "hunter22" not in str(row["url"])


async def test_a_vendor_is_where_it_always_is(alice: Caller) -> None:
    answer = await alice.post(HOME, AURORA)
    assert (answer.status_code, answer.json()["url"]) == (201, "https://api2.sendcloud.net/api/mail/send")


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({**SMTP, "url": "smtps://u:hunter22@x.example"}, "password_in_url", "/url"),
        ({**SMTP, "url": "preset:sendgrid?password=hunter22"}, "password_in_url", "/url"),
        ({**SMTP, "url": "smtps://u@x.example?tls_ca=/etc/passwd"}, "option_not_allowed", "/url"),
        ({**SMTP, "url": "smtps://u@x.example?per_day=5"}, "option_not_allowed", "/url"),
        ({**SMTP, "url": "smtp://u@x.example"}, "invalid_provider_url", "/url"),
        ({**SMTP, "url": "smtps://x.example"}, "username_required", "/url"),
        ({**SMTP, "url": ""}, "field_required", "/url"),
        ({**SMTP, "vendor": "aurora"}, "not_for_smtp", "/vendor"),
        ({**SMTP, "warm_up": {"start": 5}}, "warm_up_needs_daily_limit", "/warm_up"),
        ({**SMTP, "warm_up": {"start": 9}, "limits": {"per_day": 8}}, "warm_up_needs_daily_limit", "/warm_up"),
        ({**SMTP, "from_domains": ["shop.de", "not a domain"]}, "invalid_domain", "/from_domains/1"),
        ({**SMTP, "alert": {"addresses": ["nobody"]}}, "invalid_recipient", "/alert/addresses/0"),
        ({**AURORA, "vendor": "nobody"}, "unknown_vendor", "/vendor"),
        ({**AURORA, "account": None}, "credentials_required", "/account"),
        ({**AURORA, "password": None}, "credentials_required", "/password"),
        ({**AURORA, "vendor": "generic"}, "url_required", "/url"),
        ({**AURORA, "url": "http://169.254.169.254/"}, "url_not_allowed", "/url"),
        ({**AURORA, "url": "https://127.0.0.1/"}, "url_not_allowed", "/url"),
    ],
    ids=str,
)
async def test_what_cannot_be_is_refused_where_it_stands(
    alice: Caller, body: dict[str, Any], code: str, place: str
) -> None:
    answer = await alice.post(HOME, body)
    assert problem(answer) == (422, code, [place])
    assert "hunter22" not in answer.text


async def test_the_same_request_makes_one_service(alice: Caller) -> None:
    first, again = [await alice.post(HOME, SMTP, Idempotency_Key="once") for _ in range(2)]
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await alice.post(HOME, {**SMTP, "name": "Other"}, Idempotency_Key="once")
    assert problem(other)[:2] == (422, "idempotency_key_reused")
    assert problem(await alice.post(HOME, SMTP))[:2] == (409, "name_taken")


async def test_services_are_listed_newest_first(alice: Caller) -> None:
    ids = [(await made(alice, name=f"service {number}"))["id"] for number in range(3)]
    page = await alice.get(HOME, limit=2)
    rest = await alice.get(HOME, limit=2, cursor=page["next_cursor"])
    assert [one["id"] for one in page["items"] + rest["items"]] == ids[::-1]


async def test_a_password_stays_but_is_not_taken_elsewhere(alice: Caller, database: Database) -> None:
    service = (await made(alice))["id"]
    kept = {name: value for name, value in SMTP.items() if name != "password"}
    changed = await put(alice, service, {**kept, "weight": 20, "limits": {"per_hour": 50}})
    assert (changed.json()["has_password"], changed.json()["limits"]["per_hour"]) == (True, 50)
    thief = await put(alice, service, {**kept, "url": "smtps://postroom@evil.example"})
    assert problem(thief) == (422, "password_required", ["/password"])
    moved = await put(alice, service, {**SMTP, "url": "smtps://postroom@new.example"})
    assert moved.json()["url"] == "smtps://postroom@new.example"
    await made(alice, name="Other")
    assert problem(await put(alice, service, {**SMTP, "name": "Other"}))[:2] == (409, "name_taken")


async def test_a_ramp_goes_on_while_it_stays_the_same(alice: Caller) -> None:
    ramp = {"limits": {"per_day": 1000}, "warm_up": {"start": 50, "factor": 2}}
    service = await made(alice, **ramp)
    since = service["warm_up"]["since"]
    same = await put(alice, service["id"], {**SMTP, **ramp, "weight": 5})
    assert same.json()["warm_up"]["since"] == since
    other = await put(alice, service["id"], {**SMTP, **ramp, "warm_up": {"start": 60}})
    assert other.json()["warm_up"]["since"] > since
    usage = await alice.get(f"{HOME}/{service['id']}/usage")
    assert (usage["warm_up_day"], usage["windows"][0]["limit"], usage["windows"][0]["left"]) == (1, 60, 60)


async def test_it_is_frozen_and_thawed_by_hand(alice: Caller) -> None:
    service = (await made(alice))["id"]
    for status, by in (("frozen", "operator"), ("frozen", "operator"), ("active", None)):
        answer = await alice.post(f"{HOME}/{service}/set-status", {"status": status})
        assert (answer.json()["status"], answer.json()["health"]["frozen_by"]) == (status, by)


async def test_what_a_task_wants_is_not_deleted(alice: Caller, database: Database) -> None:
    service = (await made(alice))["id"]
    campaign = "INSERT INTO campaigns (id, tenant_id, name, api_key_id) VALUES (%s, %s, 'x', %s)"
    await change(database, campaign, alice.tenant.id, alice.tenant.id, alice.tenant.id)
    task = """
        INSERT INTO campaign_tasks (id, tenant_id, campaign_id, name, channel, rule, content, time_to_live, created_by,
                                    state, sender)
        VALUES (%s, %s, %s, 'x', 'email', '{}', '{}', interval '1 day', %s, 'scheduled',
                jsonb_build_object('services', jsonb_build_array(%s::text)))
    """
    await change(database, task, *[alice.tenant.id] * 4, service)
    refused = await alice.wire.delete(f"/api/v1{HOME}/{service}")
    assert problem(refused)[:2] == (409, "sender_service_in_use")
    await change(database, "UPDATE campaign_tasks SET state = 'completed' WHERE tenant_id = %s", alice.tenant.id)
    assert (await alice.wire.delete(f"/api/v1{HOME}/{service}")).status_code == 204
    assert problem(await alice.wire.get(f"/api/v1{HOME}/{service}"))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("script", "reason"),
    [({}, "signed_in"), ({"AUTH": [b"535 5.7.8 wrong\r\n"]}, "provider_auth_failed")],
    ids=str,
)
async def test_a_try_signs_in_and_sends_nothing(outside: Caller, script: dict[str, Any], reason: str) -> None:
    async with Scripted(script=script, features=("AUTH PLAIN", "PIPELINING")) as server:
        service = await made(outside, url=f"smtp://postroom@127.0.0.1:{server.port}")
        seen = (await outside.post(f"{HOME}/{service['id']}/test")).json()
        good = reason == "signed_in"
        assert (seen["ok"], seen["reason"], "pipelining" in seen["features"]) == (good, reason, good)
        assert "MAIL" not in server.verbs()


@pytest.mark.parametrize(("code", "reason"), [(40805, "signed_in"), (40005, "provider_auth_failed")])
async def test_a_vendor_is_asked_whether_it_knows_us(outside: Caller, code: int, reason: str) -> None:
    async with receiving() as vendor:
        vendor.react("/send", Reaction(body=b'{"statusCode": %d, "message": "hunter22"}' % code))
        service = (await outside.post(HOME, {**AURORA, "url": vendor.url("/send")})).json()
        seen = (await outside.post(f"{HOME}/{service['id']}/test")).json()
        assert (seen["ok"], seen["reason"], seen["code"]) == (reason == "signed_in", reason, 200)
        assert "hunter22" not in str(seen)
        assert b"to=" not in vendor.received[0].body


async def test_a_try_keeps_off_our_own_network(patient: Caller) -> None:
    service = await made(patient, url="smtps://postroom@127.0.0.1:2525")
    seen = (await patient.post(f"{HOME}/{service['id']}/test")).json()
    assert (seen["ok"], seen["reason"]) == (False, "blocked_destination")


async def test_a_bound_service_is_for_the_keys_named(alice: Caller, decoy: Caller, database: Database) -> None:
    bound, free = (await made(alice))["id"], (await made(alice, name="Free"))["id"]
    mine, theirs = await key_of(database, alice), await key_of(database, decoy)
    way = f"/admin/users/{mine}/sender-services"
    assert [one["bound"] for one in (await alice.get(way))["items"]] == [False, False]
    answer = await alice.post(way, [{"service_id": bound, "action": "add"}])
    assert [(one["service_id"], one["bound"]) for one in answer.json()["items"]] == [(free, False), (bound, True)]
    wrong = [{"service_id": free, "action": "add"}, {"service_id": "svc_" + "0" * 32, "action": "add"}]
    assert problem(await alice.post(way, wrong)) == (422, "sender_service_not_found", ["/1/service_id"])
    assert [one["bound"] for one in (await alice.get(way))["items"]] == [False, True]
    gone = await alice.post(way, [{"service_id": bound, "action": "remove"}])
    assert [one["bound"] for one in gone.json()["items"]] == [False, False]
    foreign = await alice.post(f"/admin/users/{theirs}/sender-services", [{"service_id": bound, "action": "add"}])
    assert problem(foreign)[:2] == (404, "not_found")


async def test_the_other_tenants_services_cannot_be_bound(alice: Caller, decoy: Caller, database: Database) -> None:
    theirs = (await made(decoy))["id"]
    way = f"/admin/users/{await key_of(database, alice)}/sender-services"
    refused = await alice.post(way, [{"service_id": theirs, "action": "add"}])
    assert problem(refused) == (422, "sender_service_not_found", ["/0/service_id"])
    assert (await alice.get(HOME))["items"] == []


async def test_reading_and_writing_are_scopes_of_their_own(
    database: Database, settings: Settings, api_url: str, tenants: Tenants
) -> None:
    async with calling(database, settings, api_url, tenants.alice, [Scope.SENDERS_READ]) as reader:
        assert problem(await reader.post(HOME, SMTP))[:2] == (403, "insufficient_scope")
        assert (await reader.get(HOME))["items"] == []
    async with calling(database, settings, api_url, tenants.alice, [Scope.SENDERS_WRITE]) as writer:
        assert (await writer.post(HOME, SMTP)).status_code == 201
        assert problem(await writer.wire.get(f"/api/v1{HOME}"))[:2] == (403, "insufficient_scope")


async def test_a_tenant_tries_so_often_and_no_more(alice: Caller, decoy: Caller) -> None:
    url = "smtps://postroom@127.0.0.1:2525"  # out of reach, and nobody is asked for its name
    service, theirs = [(await made(caller, url=url))["id"] for caller in (alice, decoy)]
    answers = [await alice.post(f"{HOME}/{service}/test") for _ in range(TRIES_PER_MINUTE + 1)]
    assert [one.status_code for one in answers] == [200] * TRIES_PER_MINUTE + [429]
    assert problem(answers[-1])[1] == "too_many_tests"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert (await decoy.post(f"{HOME}/{theirs}/test")).status_code == 200
