"""Composition root of the worker process: settings, resources, activities, the workers, relay, sweeper and drain."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from email.utils import parseaddr

import uvloop
from temporalio.client import Client
from temporalio.worker import Worker

from activities.campaigns import CampaignActivities
from activities.carriers import CarrierActivities
from activities.contact_files import ContactFileActivities
from activities.digests import DigestActivities
from activities.passes import PassActivities
from activities.schedules import ScheduleActivities
from activities.sequences import SequenceActivities
from postroom.campaigns.poking import TaskPoker
from postroom.channels.base import Channel
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.providers import parse_providers
from postroom.channels.email.route import EmailOptions
from postroom.channels.email.signer import Signer
from postroom.channels.in_app import InAppChannel
from postroom.channels.webhook.channel import WebhookChannel
from postroom.channels.webhook.destinations import Destinations
from postroom.contact_files.exporting import ContactExporter
from postroom.contact_files.importing import Importer
from postroom.contact_files.poking import FilePoker
from postroom.contracts.vocabulary import Carries, ChannelKind
from postroom.database.engine import Role
from postroom.deliveries.claiming import Desk
from postroom.deliveries.handing import Outfit
from postroom.deliveries.ledger import Ledger
from postroom.deliveries.prompting import Prompter
from postroom.deliveries.sending import Sender
from postroom.deliveries.wording import Wording
from postroom.digests.poker import DigestPoker
from postroom.egress.client import EgressClient, Patience
from postroom.errors import Invalid
from postroom.guard_rails.rounds import RailRounds
from postroom.limits.limiter import Limiter
from postroom.loops import end
from postroom.mail_domains.book import DomainBook
from postroom.mail_domains.checking import Checks
from postroom.mail_domains.records import House
from postroom.mail_domains.returning import Returning
from postroom.mail_domains.rounds import DomainRounds
from postroom.observability import set_up_logs
from postroom.privacy.erasing import Eraser
from postroom.privacy.exporting import Exporter
from postroom.privacy.rounds import PersonRounds
from postroom.relay.listener import listen
from postroom.relay.relay import Capacity, Relay
from postroom.relay.sweeper import sweep_rounds
from postroom.rendering.renderer import Renderer
from postroom.reports.rounds import LineRounds
from postroom.reports.standings import StandingRounds
from postroom.resources import Resources, open_resources
from postroom.schedules.keeping import Engine, Keeper
from postroom.sender_services.book import ServiceBook
from postroom.sender_services.channel import ServiceDesk, ServiceMailChannel
from postroom.sender_services.health import Health
from postroom.sender_services.watching import Watch
from postroom.sequences.poking import Poker
from postroom.settings import Settings
from postroom.tenants.ways import ProviderBook, Ways
from postroom.tracking.dressing import Dresser
from postroom.tracking.links import LinkBook
from postroom.webhooks.book import EndpointBook
from workflows.engine import connect
from workflows.start import starter
from workflows.start_contact_files import file_starter
from workflows.start_digests import digest_starter
from workflows.start_tasks import task_starter
from workflows.timetable import aligner, enrolment_starter, run_starter
from workflows.workers import Carrying, carriers_workers, digests_worker, files_worker, recurring_worker

log = logging.getLogger("worker")

CONNECTIONS = {Role.APP: 24, Role.SYSTEM: 6, Role.LEDGER: 4}
# A page of a task is some hundred thousand objects that live for a second and hold no cycle. Looking through the young
# ones whenever there are 700 more, as the interpreter does, is a fifth of the CPU of a bulk send.
CYCLES = (100_000, 20, 50)


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then drain: take nothing new, finish what is being handed off."""
    stopping = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stopping.set)
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(open_resources(settings, CONNECTIONS))
        connecting = asyncio.create_task(connect(settings.temporal_address, settings.temporal_namespace))
        await _first(connecting, stopping)
        if stopping.is_set():
            connecting.cancel()
            return
        client = connecting.result()
        renderer = await stack.enter_async_context(Renderer(settings.renderers).open(warm=True))
        ordinary, critical, bulk = outfits_for(resources, stack, renderer)
        timing = resources.timing
        looks = CarrierActivities(resources.database, timing)
        passes = PassActivities(Sender(ordinary), Sender(critical), timing)
        carrying = Carrying(looks, passes, CampaignActivities(bulk, settings.campaign_page))
        for worker in carriers_workers(client, carrying, timing.drain, settings.carries):
            await stack.enter_async_context(worker)
        background = _rounds_of_tasks(client, resources, stopping)
        if settings.carries is not Carries.CAMPAIGNS:
            for worker in _other_workers(client, resources, renderer):
                await stack.enter_async_context(worker)
            background += _rounds(client, resources, stopping)
        stack.push_async_callback(_end, background)
        gc.freeze()  # what is here now stays until the end
        log.info("carrying for %s on %s", settings.temporal_namespace, settings.temporal_address)
        await stopping.wait()
        log.info("draining: nothing new is taken, what is being handed off is finished")


def outfits_for(resources: Resources, stack: AsyncExitStack, renderer: Renderer) -> tuple[Outfit, Outfit, Outfit]:
    """What ordinary, critical and bulk messages are sent with: connections of their own, one ledger for all."""
    settings = resources.settings
    ledger = Ledger(resources.database, resources.timing, f"{socket.gethostname()}/{os.getpid()}")
    common = parse_providers(settings.smtp_url.get_secret_value())
    if not common:
        raise Invalid("SMTP_URL names no provider.", code="invalid_provider_url")
    webhooks = webhook_channels(resources, stack)
    ways = Ways(common, settings.tenant_servers_public_only)
    limiter = Limiter(resources.database, resources.timing)
    stack.push_async_callback(limiter.close)
    book = ProviderBook(resources.database, resources.seal, ways)
    wording = Wording(resources.database, renderer, Dresser(LinkBook(resources.database), resources.tokens))
    prompter = Prompter()
    domains = DomainBook(resources.database, resources.seal)
    signer = Signer(domains.keys_of)
    stack.callback(signer.close)
    services = service_desk(resources, stack)

    def outfit(connections: int) -> Outfit:
        options = EmailOptions(
            domain=_mail_domain(settings),
            connections=connections,
            evidence_url=settings.evidence_url,
            evidence_provider=common[0].name,
            return_path=Returning(resources.returns, domains).path,
        )
        email = EmailChannel(book.providers_of, resources.timing, options, limiter, signer)
        stack.push_async_callback(email.close)
        channels: dict[ChannelKind, Channel] = {
            ChannelKind.EMAIL: ServiceMailChannel(email, services),
            ChannelKind.IN_APP: InAppChannel(resources.database),
            ChannelKind.WEBHOOK: webhooks(settings.webhook_connections),
        }
        desk = Desk(
            resources.timing, resources.pepper, settings.mail_from, settings.page_size, resources.links, prompter
        )
        return Outfit(
            database=resources.database,
            ledger=ledger,
            desk=desk,
            wording=wording,
            channels=channels,
            timing=resources.timing,
            worker=ledger.worker,
            mail_domain=_mail_domain(settings),
            width=connections * 3,  # one is answered for, one rides behind it, one is being recorded
        )

    return (
        outfit(settings.email_connections),
        outfit(settings.critical_connections),
        outfit(settings.campaign_connections),
    )


def service_desk(resources: Resources, stack: AsyncExitStack) -> ServiceDesk:
    """What all senders share of the tenants' sender services, and the client for vendors of mail over HTTP."""
    database, timing, public_only = resources.database, resources.timing, resources.settings.tenant_servers_public_only
    patience = Patience(timing.connect_patience, timing.vendor_answer, timing.webhook_words)
    client = EgressClient(patience, public_only=public_only)
    stack.push_async_callback(client.close)
    book = ServiceBook(database, resources.seal, public_only=public_only)
    watch = Watch(Health(database, timing), book)
    stack.push_async_callback(watch.close)
    return ServiceDesk(database, book, watch, client, timing)


def webhook_channels(resources: Resources, stack: AsyncExitStack) -> Callable[[int], WebhookChannel]:
    """Webhook channels that share one client and what is known of the receivers: a rate counts for all of them."""
    timing = resources.timing
    patience = Patience(timing.webhook_connect, timing.webhook_answer, timing.webhook_words)
    client = EgressClient(patience, public_only=resources.settings.webhooks_public_only)
    stack.push_async_callback(client.close)
    book = EndpointBook(resources.database, resources.seal, timing)
    destinations = Destinations(timing)
    return lambda connections: WebhookChannel(book, client, destinations, connections)


def _files(resources: Resources) -> ContactFileActivities:
    database, seal, timing = resources.database, resources.seal, resources.timing
    importer = Importer(database, seal, resources.pepper, timing)
    return ContactFileActivities(importer, ContactExporter(database, seal, timing), timing)


def _other_workers(client: Client, resources: Resources, renderer: Renderer) -> list[Worker]:
    """Digests, what comes again, and files of contacts."""
    database, timing = resources.database, resources.timing
    runs = ScheduleActivities(database, timing, resources.settings.page_size)
    return [
        digests_worker(client, DigestActivities(database, renderer, timing), timing.drain),
        recurring_worker(client, runs, SequenceActivities(database, timing), timing.drain),
        files_worker(client, _files(resources), timing.drain),
    ]


def _rounds(client: Client, resources: Resources, stopping: asyncio.Event) -> list[asyncio.Task[None]]:
    """What a worker does beside its passes, as long as it runs."""
    settings, timing = resources.settings, resources.timing
    woken = asyncio.Event()
    capacity = Capacity(settings.page_size, settings.alone_threshold, settings.relay_window)
    relay = Relay(resources.database, starter(client, timing), timing, capacity)
    digests = DigestPoker(resources.database, digest_starter(client, timing), timing)
    eraser, exporter = Eraser(resources.pepper), Exporter(resources.pepper, resources.seal)
    people = PersonRounds(resources.database, timing, eraser, exporter)
    keeper = Keeper(resources.database, Engine(aligner(client), run_starter(client)), timing)
    poker = Poker(resources.database, enrolment_starter(client), timing)
    files = FilePoker(resources.database, file_starter(client), timing)
    return [
        asyncio.create_task(files.rounds()),
        asyncio.create_task(digests.run(stopping)),
        asyncio.create_task(keeper.rounds()),
        asyncio.create_task(poker.rounds()),
        asyncio.create_task(listen(settings.database_url, woken, timing.relay_poll)),
        asyncio.create_task(relay.run(woken, stopping)),
        asyncio.create_task(people.run()),
        asyncio.create_task(_domain_rounds(resources).run()),
    ]


def _rounds_of_tasks(client: Client, resources: Resources, stopping: asyncio.Event) -> list[asyncio.Task[None]]:
    """What every worker does for bulk sends, and for whatever a killed one left."""
    settings, timing = resources.settings, resources.timing
    tasks = TaskPoker(resources.database, task_starter(client, timing, settings.campaign_window), timing)
    return [
        asyncio.create_task(tasks.run(stopping)),
        asyncio.create_task(sweep_rounds(resources.database, timing)),
        asyncio.create_task(RailRounds(resources.database, timing).run()),
        asyncio.create_task(LineRounds(resources.database, timing).run()),
        asyncio.create_task(StandingRounds(resources.database, timing).run()),
    ]


def _domain_rounds(resources: Resources) -> DomainRounds:
    settings, database, timing = resources.settings, resources.database, resources.timing
    house = House(settings.spf_include, settings.bounce_host)
    return DomainRounds(database, Checks.asking(settings.dns_servers, house, database, timing), timing)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        await end(task)


async def _first(task: asyncio.Task[Client], stopping: asyncio.Event) -> None:
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _mail_domain(settings: Settings) -> str:
    return parseaddr(settings.mail_from)[1].rpartition("@")[2]


def main() -> None:
    """Run the worker; `python -m worker`."""
    settings = Settings()
    set_up_logs("worker", settings.log_format)
    gc.set_threshold(*CYCLES)
    code = 0
    try:
        uvloop.run(run(settings))  # a tenth less CPU per notification than asyncio's own loop
    except Exception:
        log.exception("the worker cannot go on")
        code = 1
    # The engine's core threads may still hold the interpreter's lock at exit and abort the process (sdk-python#300).
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
