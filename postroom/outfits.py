"""What messages are sent with: connections of their own for ordinary, critical and bulk ones, one ledger for all."""

import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from email.utils import parseaddr

from postroom.channels.base import Channel
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.providers import parse_providers
from postroom.channels.email.route import EmailOptions
from postroom.channels.email.signer import Signer
from postroom.channels.in_app import InAppChannel
from postroom.channels.webhook.channel import WebhookChannel
from postroom.channels.webhook.destinations import Destinations
from postroom.contracts.vocabulary import ChannelKind
from postroom.deliveries.claiming import Desk
from postroom.deliveries.handing import Outfit
from postroom.deliveries.ledger import Ledger
from postroom.deliveries.prompting import Prompter
from postroom.deliveries.wording import Wording
from postroom.egress.client import EgressClient, Patience
from postroom.errors import Invalid
from postroom.limits.limiter import Limiter
from postroom.mail_domains.book import DomainBook
from postroom.mail_domains.returning import Returning
from postroom.rendering.renderer import Renderer
from postroom.resources import Resources
from postroom.sender_services.book import ServiceBook
from postroom.sender_services.channel import ServiceDesk, ServiceMailChannel
from postroom.sender_services.health import Health
from postroom.sender_services.watching import Watch
from postroom.settings import Settings
from postroom.tenants.ways import ProviderBook, Ways
from postroom.tracking.dressing import Dresser
from postroom.tracking.links import LinkBook
from postroom.webhooks.book import EndpointBook


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


def _mail_domain(settings: Settings) -> str:
    return parseaddr(settings.mail_from)[1].rpartition("@")[2]
