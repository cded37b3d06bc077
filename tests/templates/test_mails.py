"""From a template to the mail: saved through the API, carried by the engine, and read as its recipient reads it."""

import base64
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import psutil
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from api.app import create_app
from postroom.database.engine import open_database
from postroom.identity import NOTIFICATION, message_id, parse_id
from postroom.local.postgres import EmbeddedPostgres
from postroom.rendering.renderer import Renderer
from postroom.settings import Settings
from tests.api.conftest import Caller, calling
from tests.faults.office import Office, open_office
from tests.fixtures.cluster import copied_database
from tests.fixtures.database import POOL_SIZES, make_tenants
from tests.fixtures.house import MAIL_DOMAIN
from tests.fixtures.rows import deliveries, rows
from tests.fixtures.serving import serving
from tests.fixtures.waiting import until

# As the notification service whose callers come to us writes it.
WELCOME = {
    "name": "欢迎邮件",
    "title": "欢迎使用{{product_name}}",
    "content": "您好{{user_name}}\uff0c欢迎注册{{product_name}}...",
    "channel": "email",
    "variables": ["user_name", "product_name"],
}
SHIPPED = """<mjml><mj-head><mj-title>{{ shop }}</mj-title>
<mj-style inline="inline">.sum { color: green }</mj-style></mj-head>
<mj-body><mj-section><mj-column>
<mj-text>Servus {{ name }}!</mj-text>
{% for line in lines %}
<mj-text>{{ loop.index }}. {{ line.name }}: {{ line.price | currency("EUR") }}</mj-text>
{% endfor %}
<mj-text><p class="sum">{{ total | currency("EUR") }} am {{ day | date("long") }}</p></mj-text>
<mj-button href="{% if tracked %}https://shop.example/t?n={{ number }}{% else %}{{ url }}{% endif %}">Los</mj-button>
</mj-column></mj-section></mj-body></mjml>"""
PARCEL = {
    "name": "parcel",
    "channel": "email",
    "language": "en",
    "languages": {
        "en": {"title": "Order {{ number }}", "text": "Hi {{ name }}"},
        "de": {"title": "Bestellung {{ number }} für {{ name }}", "mjml": SHIPPED},
    },
    "variables": [
        *("number", "name", {"name": "lines", "type": "list", "default": []}, {"name": "total", "default": 0}),
        {"name": "day", "type": "date", "default": "2026-11-20"},
        *(
            {"name": "tracked", "type": "boolean", "default": False},
            {"name": "url", "default": "https://shop.example/"},
        ),
        {"name": "shop", "default": "Laden"},
    ],
}
CALL = {"name": "page", "channel": "email", "title": "Hi {{ name }}", "content": "{{ name }}: {{ 100 / share }}"}


@dataclass(frozen=True, slots=True)
class House:
    """A sending side, and a caller of an API on the same database."""

    office: Office
    alice: Caller

    async def kept(self, template: dict[str, Any]) -> str:
        """Save a template that may be sent at once."""
        answer = await self.alice.post("/templates", template)
        assert answer.status_code == 201, answer.text
        assert answer.json()["status"] == "active"
        return str(answer.json()["id"])

    async def mail(self, one: str) -> EmailMessage:
        """The mail that became of a notification, as a mail program reads it."""
        known = parse_id(NOTIFICATION, one)
        await self.office.ended(known)
        [delivery] = await deliveries(self.office.database, known)
        name = message_id(delivery["id"], MAIL_DOMAIN).encode()
        [letter] = [letter for letter in self.office.sink.letters if name in letter.raw]
        read = message_from_bytes(letter.raw, policy=policy.default)
        assert isinstance(read, EmailMessage)
        return read


def part(mail: EmailMessage, kind: str) -> str:
    """The text of a mail in one of its two forms; it is UTF-8 and says so."""
    found = mail.get_body((kind,))
    assert isinstance(found, EmailMessage)
    assert found.get_content_charset() == "utf-8"
    return str(found.get_content())


@pytest.fixture(scope="module")
async def house(cluster: EmbeddedPostgres, engine: Client) -> AsyncIterator[House]:
    """Everything, with a renderer of each side's own."""
    with copied_database(cluster) as url:
        settings = Settings(
            database_url=url,
            smtp_url=SecretStr("smtp://127.0.0.1:1025"),
            sealing_keys=SecretStr("test:" + base64.b64encode(os.urandom(32)).decode()),
            pepper=SecretStr(base64.b64encode(os.urandom(32)).decode()),
            temporal_address="127.0.0.1:1",
            temporal_ui_url="http://temporal.example/",
        )
        async with (
            open_database(url, POOL_SIZES) as database,
            Renderer(2).open(warm=False) as renderer,
            open_office(engine, database, renderer) as office,
            serving(create_app(settings)) as api,
            calling(database, settings, api, (await make_tenants(database)).alice) as alice,
        ):
            await alice.wire.put("/api/v1/settings/review", json={"required": False})
            yield House(office, alice)


async def test_a_template_of_older_callers_is_sent_as_they_wrote_it(house: House) -> None:
    template = await house.kept({**WELCOME, "tenant_id": house.alice.tenant.slug})
    words = {
        "variables": {"user_name": "王小明", "product_name": "邮局 <&>"},
        "metadata": {"email": "wang@shop.example"},
    }
    for named in (template, WELCOME["name"]):
        answer = await house.alice.post("/notifications", {"channel": "email", "template_id": named, **words})
        assert answer.status_code == 202, answer.text
        mail = await house.mail(answer.json()["id"])
        assert (mail["subject"], mail["to"]) == ("欢迎使用邮局 <&>", "wang@shop.example")
        assert part(mail, "plain").rstrip() == "您好王小明\uff0c欢迎注册邮局 <&>..."
        assert mail.get_body(("html",)) is None


async def test_a_person_in_austria_reads_german_from_mjml(house: House) -> None:
    await house.kept(PARCEL)
    contact = {"addresses": {"email": "berta@shop.example"}, "language": "de-AT", "time_zone": "Europe/Vienna"}
    contact["quiet_hours"] = {"enabled": False}  # it may be night there
    assert (await house.alice.wire.put("/api/v1/contacts/berta", json=contact)).is_success
    lines = [{"name": "Tasse <rot>", "price": 1234.5}, {"name": "Löffel", "price": "0.5"}]
    variables = {"number": "A-1", "name": "Jörg & Söhne", "lines": lines, "total": 1235, "url": "javascript:alert(1)"}
    sent = {"user_id": "berta", "channel": "email", "template": "parcel", "variables": variables}
    one = (await house.alice.post("/notifications", sent)).json()["id"]
    mail = await house.mail(one)
    assert (mail["subject"], mail.get_content_type()) == ("Bestellung A-1 für Jörg & Söhne", "multipart/alternative")
    assert [inner.get_content_type() for inner in mail.iter_parts()] == ["text/plain", "text/html"]
    html, text = part(mail, "html"), part(mail, "plain")
    for shown in (
        "Jörg &amp; Söhne!",
        "1. Tasse &lt;rot&gt;: 1.234,50\xa0€",
        "2. Löffel: 0,50\xa0€",
        "<title>Laden</title>",
    ):
        assert shown in html
    assert '<p class="sum" style="color: green;">1.235,00\xa0€ am 20. November 2026</p>' in html
    assert 'href="about:blank"' in html
    assert "javascript" not in html
    assert "Servus Jörg & Söhne!" in text
    assert "2. Löffel: 0,50 €" in text
    [row] = await deliveries(house.office.database, parse_id(NOTIFICATION, one))
    assert (row["state"], row["template_variant"], row["language"]) == ("accepted", "default", "de")
    tracked = {**sent, "variables": {**variables, "tracked": True, "number": "A 1&b=2"}}
    mail = await house.mail((await house.alice.post("/notifications", tracked)).json()["id"])
    assert 'href="https://shop.example/t?n=A%201%26b%3D2"' in part(mail, "html")


async def test_a_page_says_to_each_their_own_and_one_poisonous_fails_alone(house: House) -> None:
    await house.kept(CALL)
    everybody = [
        {"user_id": f"p{number}", "variables": {"name": f"P{number}", "share": 0 if number == 50 else number + 1}}
        | {"metadata": {"email": f"p{number}@shop.example"}}
        for number in range(100)
    ]
    batch = {"recipients": everybody, "channel": "email", "template": "page"}
    answer = await house.alice.post("/notifications/batch", batch)
    assert answer.status_code == 202, answer.text
    ours = "SELECT n.id, n.user_id, n.state, n.reason FROM notifications n WHERE n.user_id ~ '^p[0-9]+$'"

    async def over() -> bool:
        found = await rows(house.office.database, ours)
        return len(found) == len(everybody) and all(row["state"] != "open" for row in found)

    await until(over, 30)
    ends = {row["user_id"]: (row["state"], row["reason"]) for row in await rows(house.office.database, ours)}
    assert ends.pop("p50") == ("failed", "template_value_invalid")
    assert set(ends.values()) == {("sent", "accepted")}
    heard = {
        letter.recipients[0]: message_from_bytes(letter.raw, policy=policy.default)
        for letter in house.office.sink.letters
        if letter.recipients[0].startswith("p")
    }
    assert len(heard) == len(everybody) - 1
    for number in set(range(100)) - {50}:
        mail = heard[f"p{number}@shop.example"]
        assert isinstance(mail, EmailMessage)
        assert mail["subject"] == f"Hi P{number}"
        assert part(mail, "plain").startswith(f"P{number}: {100 / (number + 1)}"[:8])


async def test_renderers_that_are_killed_under_a_page_lose_nobody(house: House) -> None:
    slow = "{% for n in many %}{{ n | number(2) }} {% endfor %}{{ name }}"
    await house.kept({**CALL, "name": "slow", "content": slow})
    addresses = [f"k{number}@shop.example" for number in range(200)]
    recipients = [{"user_id": to, "variables": {"name": to}, "metadata": {"email": to}} for to in addresses]
    batch = {"recipients": recipients, "channel": "email", "template": "slow", "variables": {"many": [1] * 500}}
    answer = await house.alice.post("/notifications/batch", batch)
    assert answer.status_code == 202, answer.text
    killed = 0

    async def over() -> bool:
        nonlocal killed
        counts = (await house.alice.get(f"/jobs/{answer.json()['job_id']}"))["counts"]
        if counts["open"] and killed < 2:  # the third one under the same message would end that
            killed += kill_a_renderer()
        return not counts["open"]

    await until(over, 30)
    counts = (await house.alice.get(f"/jobs/{answer.json()['job_id']}"))["counts"]
    assert (counts["sent"], counts["failed"]) == (len(recipients), 0)
    assert killed >= 1
    taken = [copy.to for copy in house.office.sink.accepted if copy.to.startswith("k")]
    assert sorted(taken) == sorted(addresses)


def kill_a_renderer() -> int:
    """Kill one of the renderers this process has started; returns how many that is."""
    for child in psutil.Process().children():
        if "postroom.rendering.child" in _command(child):
            child.kill()
            return 1
    return 0


def _command(process: psutil.Process) -> Sequence[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return ()
