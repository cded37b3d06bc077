"""Mail domains over the API: declared, published, looked at, rotated, deleted."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.app import create_app
from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, problem
from tests.fixtures.database import Tenants
from tests.fixtures.name_server import Zone, name_server
from tests.fixtures.serving import serving

DOMAIN = "news.shop.example.com"
RSA_OPENING = b"MIIE"  # how an RSA-2048 key in PKCS #8 begins, in base64


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
async def asking(database: Database, settings: Settings, tenants: Tenants, zone: Zone) -> AsyncIterator[Caller]:
    """A caller of an API that asks the zone, with patience."""
    house = {"spf_include": "_spf.postroom.example", "bounce_host": "mx.postroom.example", "time_scale": 1.0}
    async with name_server(zone) as address:
        changed = settings.model_copy(update=house | {"dns_servers": address})
        async with serving(create_app(changed)) as url, calling(database, changed, url, tenants.alice) as caller:
            yield caller


async def made(caller: Caller, domain: str = DOMAIN, **more: Any) -> dict[str, Any]:
    answer = await caller.post("/mail-domains", {"domain": domain, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_to_publish_is_shown_and_the_private_key_is_not(asking: Caller, database: Database) -> None:
    domain = await made(asking, bounce_domain=f"bounces.{DOMAIN}", ed25519=True)
    assert (domain["state"], domain["findings"], domain["checked_at"]) == ("unverified", [], None)
    rsa, ed25519, spf, dmarc, bounces = domain["records"]
    assert rsa["name"] == f"{domain['keys'][0]['selector']}._domainkey.{DOMAIN}"
    assert "".join(rsa["strings"]) == rsa["value"]
    assert [len(one) <= 255 for one in rsa["strings"]] == [True, True]
    assert len(base64.b64decode(rsa["value"].partition("p=")[2])) == 294
    assert (ed25519["required"], len(base64.b64decode(ed25519["value"].partition("p=")[2]))) == (False, 32)
    assert (spf["name"], spf["value"]) == (f"bounces.{DOMAIN}", "v=spf1 include:_spf.postroom.example ~all")
    assert (dmarc["name"], dmarc["value"]) == (f"_dmarc.{DOMAIN}", "v=DMARC1; p=none")
    assert (bounces["type"], bounces["value"]) == ("MX", "10 mx.postroom.example")
    assert (await asking.get(f"/mail-domains/{domain['id']}")) == domain
    assert (await asking.get("/mail-domains"))["items"] == [domain]
    assert "secret" not in str(domain)
    async with database.tenant_transaction(asking.tenant.id) as connection:
        kept = await (await connection.execute("SELECT secret FROM mail_domain_keys")).fetchall()
    assert [RSA_OPENING in bytes(one["secret"]) for one in kept] == [False, False]


async def test_a_check_reads_dns(asking: Caller, zone: Zone) -> None:
    domain = await made(asking)
    path = f"/mail-domains/{domain['id']}"
    failing = (await asking.post(f"{path}/check")).json()
    assert failing["state"] == "failing"
    assert {one["code"] for one in failing["findings"] if one["weight"] == "error"} == {
        "dkim_key_missing",
        "spf_missing",
        "dmarc_missing",
    }
    assert all(one["detail"].endswith(".") for one in failing["findings"])
    zone.texts("_spf.postroom.example", "v=spf1 ip4:192.0.2.1 -all")
    zone.exchangers(DOMAIN, "10 mx.shop.example.com.")
    for record in domain["records"]:
        zone.texts(record["name"], record["value"], *(["unrelated"] if record["purpose"] == "spf" else []))
    ready = (await asking.post(f"{path}/check")).json()
    assert (ready["state"], ready["findings"], ready["keys"][0]["state"]) == ("ready", [], "active")
    assert ready == await asking.get(path)

    rotated = (await asking.post(f"{path}/rotate-key")).json()
    assert [key["state"] for key in rotated["keys"]] == ["active", "pending"]
    assert [one["purpose"] for one in rotated["records"]] == ["dkim", "dkim", "spf", "dmarc"]
    assert problem(await asking.post(f"{path}/rotate-key"))[:2] == (409, "rotation_pending")
    following = rotated["records"][1]
    zone.texts(following["name"], following["value"])
    switched = (await asking.post(f"{path}/check")).json()
    assert [(key["state"], key["keep_until"] is None) for key in switched["keys"]] == [
        ("retired", False),
        ("active", True),
    ]
    assert (await asking.wire.delete(f"/api/v1{path}")).status_code == 204
    assert problem(await asking.post(f"{path}/check"))[:2] == (404, "not_found")
    assert (await made(asking))["state"] == "unverified"


async def test_one_key_makes_one_domain_and_one_rotation(alice: Caller) -> None:
    body = {"domain": "Shop.Example.COM."}
    first = await alice.post("/mail-domains", body, Idempotency_Key="domain-1")
    again = await alice.post("/mail-domains", body, Idempotency_Key="domain-1")
    assert (first.status_code, first.json()["domain"]) == (201, "shop.example.com")
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    other = await alice.post("/mail-domains", {"domain": "x.example.com"}, Idempotency_Key="domain-1")
    assert problem(other) == (422, "idempotency_key_reused", [])
    assert problem(await alice.post("/mail-domains", body))[:2] == (409, "domain_taken")


async def test_a_rotation_is_repeated_by_its_name(asking: Caller, zone: Zone) -> None:
    domain = await made(asking)
    zone.texts(domain["records"][0]["name"], domain["records"][0]["value"])
    path = f"/mail-domains/{domain['id']}"
    assert (await asking.post(f"{path}/check")).json()["keys"][0]["state"] == "active"
    first = await asking.post(f"{path}/rotate-key", None, Idempotency_Key="rotate-1")
    again = await asking.post(f"{path}/rotate-key", None, Idempotency_Key="rotate-1")
    assert (first.status_code, len(first.json()["keys"])) == (200, 2)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, (None, "/domain")),
        ({"domain": "shop"}, ("invalid_domain", "/domain")),
        ({"domain": "127.0.0.1"}, ("invalid_domain", "/domain")),
        ({"domain": "shop.local"}, ("invalid_domain", "/domain")),
        ({"domain": "a@shop.example.com"}, ("invalid_domain", "/domain")),
        ({"domain": "shop.example.com\r\nx"}, ("invalid_domain", "/domain")),
        ({"domain": "-x.example.com"}, ("invalid_domain", "/domain")),
        ({"domain": "x" * 300}, (None, "/domain")),
        ({"domain": DOMAIN, "bounce_domain": f"{'b.' * 95}{DOMAIN}"}, ("invalid_domain", "/bounce_domain")),
        ({"domain": DOMAIN, "bounce_domain": "example.com"}, ("bounce_domain_not_aligned", "/bounce_domain")),
        ({"domain": DOMAIN, "bounce_domain": f"x{DOMAIN}"}, ("bounce_domain_not_aligned", "/bounce_domain")),
        ({"domain": DOMAIN, "spf_include": "a b.example.com"}, ("invalid_domain", "/spf_include")),
        ({"domain": DOMAIN, "ed25519": "yes"}, (None, "/ed25519")),
        ({"domain": DOMAIN, "selector": "mine"}, (None, "/selector")),
    ],
)
async def test_what_is_no_mail_domain(alice: Caller, body: dict[str, Any], told: tuple[str | None, str]) -> None:
    answer = await alice.post("/mail-domains", body)
    code, pointer = told
    assert (problem(answer)[0], problem(answer)[2]) == (422, [pointer])
    assert code in {None, answer.json()["errors"][0]["code"]}


async def test_foreign_letters_are_spelt_as_dns_spells_them(alice: Caller) -> None:
    assert (await made(alice, "bücher.example.com"))["domain"] == "xn--bcher-kva.example.com"


async def test_pages_of_domains(alice: Caller) -> None:
    ids = [(await made(alice, f"{name}.example.com"))["id"] for name in ("one", "two", "three")]
    first = await alice.get("/mail-domains", limit=2)
    second = await alice.get("/mail-domains", limit=2, cursor=first["next_cursor"])
    assert [one["id"] for one in [*first["items"], *second["items"]]] == ids[::-1]
    assert [len(one["keys"]) for one in first["items"]] == [1, 1]
    assert second["next_cursor"] is None


async def test_scopes(alice: Caller, database: Database, settings: Settings, api_url: str) -> None:
    domain = await made(alice)
    async with calling(database, settings, api_url, alice.tenant, [Scope.SENDERS_READ]) as reader:
        assert (await reader.get("/mail-domains"))["items"] == [domain]
        for path in ("", f"/{domain['id']}/check", f"/{domain['id']}/rotate-key"):
            answer = await reader.post(f"/mail-domains{path}", {"domain": "x.example.com"})
            assert problem(answer)[:2] == (403, "insufficient_scope")
    async with calling(database, settings, api_url, alice.tenant, [Scope.WEBHOOKS_READ]) as sender:
        assert (await sender.wire.get("/api/v1/mail-domains")).status_code == 403
