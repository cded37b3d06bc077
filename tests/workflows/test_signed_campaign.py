"""A campaign as its recipients' servers see it: the worker's own senders, a real engine, every promise of its mail."""

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import dkim
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from postroom.channels.base import Bulk, Parcel, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Role
from postroom.deliveries.handing import Outfit
from postroom.feedback.intake import Intake
from postroom.feedback.mail import MailReader
from postroom.identity import SENDER_SERVICE, public_id
from postroom.limits.allowance import Allowance
from postroom.mail_domains.checking import Checks
from postroom.mail_domains.service import MailDomains
from postroom.outfits import outfits_for
from postroom.rendering.renderer import Renderer
from postroom.resources import Resources, open_resources
from postroom.sender_services.destination import Destination
from postroom.sender_services.models import ServiceKind
from postroom.sender_services.service import SenderServices
from postroom.sender_services.terms import Terms
from postroom.settings import Settings
from postroom.templates.content import Script
from postroom.tenants.directory import Directory
from postroom.tenants.gate import Identity
from postroom.tracking.tokens import Target
from tests.channels.email.conftest import Marker
from tests.feedback import samples
from tests.fixtures.database import Tenant, make_tenants
from tests.fixtures.engine import working
from tests.fixtures.name_server import Zone, name_server
from tests.fixtures.rows import change, rows
from tests.fixtures.sink import Letter, Sink
from tests.fixtures.tasks import Sale, launched, people, recipients, task_row
from tests.fixtures.waiting import until
from tests.mail_domains.conftest import BOUNCES, DOMAIN, HOUSE, declared, publish

CONNECTIONS = {Role.APP: 10, Role.SYSTEM: 4, Role.LEDGER: 2}
PUBLIC_URL = "https://notify.postroom.example"
SENDER = f"Shop <news@{DOMAIN}>"
WORDS = Script(
    title="Spring, {{ contact.name }}",
    html='<p><a href="https://shop.example.com/spring?a=1&amp;b=2">Buy</a>\n'
    '.dot <a href="{{ unsubscribe_url }}">Stop</a></p>',
)
TRACKED = """UPDATE campaign_tasks SET tracking = '{"opens": true, "clicks": true}' WHERE id = %s"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a worker runs on, what it sends bulk mail with, and two relays."""

    resources: Resources
    bulk: Outfit
    sinks: tuple[Sink, Sink]

    async def service(self, tenant: Tenant, sink: Sink) -> UUID:
        """Add a relay as a tenant's sender service."""
        database = self.resources.database
        _, key = await Directory(database, self.resources.pepper).add_key(tenant.slug, "test")
        identity = Identity(tenant.id, tenant.slug, UUID(str(key["id"])), frozenset())
        url = f"smtp://127.0.0.1:{sink.port}"
        limits, nobody = Allowance(per_hour=1_000), ()
        terms = Terms(
            url, Destination(ServiceKind.SMTP, url), None, (DOMAIN,), 10, None, limits, None, 3, nobody, nobody
        )
        services = SenderServices(database, self.resources.seal, public_only=False)
        return (await services.add(identity, terms, None)).service.id


@pytest.fixture
async def deployment(settings: Settings, fresh_database_url: str) -> AsyncIterator[Deployment]:
    async with AsyncExitStack() as stack:
        sinks = (await stack.enter_async_context(Sink.open()), await stack.enter_async_context(Sink.open()))
        changed = settings.model_copy(
            update={
                "database_url": fresh_database_url,
                "smtp_url": SecretStr(f"smtp://127.0.0.1:{sinks[1].port}"),
                "public_url": PUBLIC_URL,
                "tenant_servers_public_only": False,
                "time_scale": 1.0,
            }
        )
        resources = await stack.enter_async_context(open_resources(changed, CONNECTIONS))
        renderer = await stack.enter_async_context(Renderer(1).open(warm=False))
        yield Deployment(resources, outfits_for(resources, stack, renderer)[2], sinks)


@asynccontextmanager
async def signing(resources: Resources, tenant: Tenant) -> AsyncIterator[dict[str, bytes]]:
    """Declare the From domain of a tenant, publish what it shows, and have it looked at; yields the key records."""
    domains = MailDomains(resources.database, resources.seal, resources.timing)
    zone = Zone()
    zone.texts("_spf.postroom.example", "v=spf1 ip4:192.0.2.0/24 ~all")
    zone.exchangers("shop.example.com", "10 mx.shop.example.com.")
    made = await declared(domains, tenant.id, ed25519=True)
    publish(zone, made)
    async with name_server(zone) as servers:
        patient = replace(resources.timing, dns_answer=timedelta(seconds=5), domain_look=timedelta(seconds=10))
        looked = await Checks.asking(servers, HOUSE, resources.database, patient).check(tenant.id, made.domain.id)
    assert looked.domain.state == "ready"
    yield {f"{key.selector}._domainkey.{DOMAIN}": f"v=DKIM1; p={key.public_key}".encode() for key in looked.keys}
    await domains.remove(tenant.id, made.domain.id)


def believed(raw: bytes, published: dict[str, bytes]) -> list[bool]:
    """What a verifier says of both signatures."""

    def ask(name: bytes, timeout: int) -> bytes | None:
        assert timeout > 0
        text = published.get(name.decode().rstrip("."))
        return text and (text if b"MII" in text else text.replace(b"; p=", b"; k=ed25519; p="))

    return [dkim.DKIM(raw).verify(index, dnsfunc=ask) for index in (0, 1)]


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def sold(deployment: Deployment, tenant: Tenant, services: list[UUID]) -> UUID:
    """Launch a tracked task of a newsletter to a dozen people."""
    database = deployment.resources.database
    await people(database, tenant.id, 12)
    named = [public_id(SENDER_SERVICE, one) for one in services]
    sender = {"from": SENDER, "reply_to": "ask@shop.example.com", "services": named}
    task = await launched(database, Sale(tenant.id, message_class="marketing", sender=sender, words=(WORDS,)))
    await change(database, TRACKED, task)
    return task


async def completed(deployment: Deployment, engine: Client, tasks: list[UUID]) -> None:
    """Run the workers until the tasks are over."""
    database = deployment.resources.database
    async with working(engine, deployment.bulk) as house:

        async def over() -> bool:
            await house.tasks.round()
            return all([(await task_row(database, task))["ended_at"] for task in tasks])

        await until(over, 90)
    assert [(await task_row(database, task))["totals"] for task in tasks] == [{"accepted": 12}] * len(tasks)


async def test_everything_that_is_promised_of_a_campaigns_mail(deployment: Deployment, engine: Client) -> None:
    resources, (sink, other) = deployment.resources, deployment.sinks
    tenants = await make_tenants(resources.database)
    service = await deployment.service(tenants.alice, sink)
    async with signing(resources, tenants.alice) as published:
        task, theirs = await sold(deployment, tenants.alice, [service]), await sold(deployment, tenants.decoy, [])
        await completed(deployment, engine, [task, theirs])
    got = {row["id"]: row for row in await recipients(resources.database, task)}
    kept = {
        row["delivery_id"]: row["message"]
        for row in await rows(resources.database, "SELECT delivery_id, message FROM delivery_messages")
    }
    assert {row["provider"] for row in got.values()} == {public_id(SENDER_SERVICE, service)}
    campaign = (await task_row(resources.database, task))["campaign_id"].hex
    assert len(sink.letters) == len(got) == 12
    for letter in sink.letters:
        delivery_id = resources.returns.read(letter.mail_from)
        assert delivery_id is not None
        assert letter.mail_from.endswith(f"@{BOUNCES}")
        assert kept[delivery_id] == letter.raw
        assert letter.recipients == (got[delivery_id]["address"],)
        assert believed(letter.raw, published) == [True, True]
        head = read(letter.raw)
        assert head["Message-ID"] == f"<{delivery_id.hex}@postroom.example>"
        assert (head["From"], head["Reply-To"]) == (SENDER, "ask@shop.example.com")
        assert head["List-Id"] == f"<{campaign}.{DOMAIN}>"
        assert head["Feedback-ID"].startswith(f"{campaign}:{tenants.alice.id.hex}:marketing:pr")
        assert head["List-Unsubscribe"].startswith(f"<{PUBLIC_URL}/u/")
        assert head["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert head["Auto-Submitted"] is None
        check_tracking(resources, letter, delivery_id)
    assert len(other.letters) == 12
    assert not any(b"DKIM-Signature" in one.raw or BOUNCES in one.mail_from for one in other.letters)

    await send_again(deployment, tenants.alice, sink.letters[0], published)
    await bounce(resources, sink.letters[1])


def check_tracking(resources: Resources, letter: Letter, delivery_id: UUID) -> None:
    """Links and image of a mail name it, and the way out does not go over the house's counting."""
    html = read(letter.raw).get_body(("html",))
    assert html is not None
    links = re.findall(r'href="([^"]+)"', html.get_content())
    clicked = resources.tokens.clicked(links[0].removeprefix(f"{PUBLIC_URL}/track/click/"))
    assert clicked is not None
    mail, target = clicked
    assert (mail.delivery_id, target) == (delivery_id, Target("https://shop.example.com/spring?a=1&b=2", 1))
    assert links[1].startswith(f"{PUBLIC_URL}/u/")
    plain = read(letter.raw).get_body(("plain",))
    assert plain is not None
    assert "https://shop.example.com/spring?a=1&b=2" in plain.get_content()


async def send_again(deployment: Deployment, tenant: Tenant, letter: Letter, published: dict[str, bytes]) -> None:
    """What was marked goes out over another service as it was, although its key is gone by now."""
    other = deployment.sinks[1]
    service = await deployment.service(tenant, other)
    await asyncio.sleep(1.1)  # as long as a book of services is believed
    delivery_id = deployment.resources.returns.read(letter.mail_from)
    assert delivery_id is not None
    again = Parcel(
        delivery_id, None, tenant.id, letter.recipients[0], SENDER, datetime.now(UTC), title="Other words",
        message=letter.raw, bulk=Bulk(UUID(int=1), UUID(int=2), 1, (service,), track_clicks=True),
    )  # fmt: skip
    answer = await deployment.bulk.channels[ChannelKind.EMAIL].hand_off(again, Marker())
    assert (answer.verdict, answer.provider) == (Verdict.ACCEPTED, public_id(SENDER_SERVICE, service))
    assert other.letters[-1].raw == letter.raw
    assert believed(other.letters[-1].raw, published) == [True, True]


async def bounce(resources: Resources, letter: Letter) -> None:
    """A bounce to the return path of the tenant's own domain ends in a suppression of its recipient alone."""
    reading = MailReader(resources.returns).read(samples.postfix(UUID(int=9), letter.mail_from))
    assert await Intake(resources.database, resources.timing).take(reading.reports, UUID(int=7)) == 1
    found = await rows(
        resources.database,
        "SELECT d.address FROM suppressions s JOIN deliveries d USING (tenant_id, channel, address_hash)",
    )
    assert [row["address"] for row in found] == list(letter.recipients)
