"""The e-mail channel: builds the bytes once and has them offered to a tenant's providers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.channels.email.addresses import is_wire_safe, parse_sender
from postroom.channels.email.answers import clean_detail
from postroom.channels.email.choosing import Chooser
from postroom.channels.email.conversation import Letter
from postroom.channels.email.journal import Journal
from postroom.channels.email.mime import build
from postroom.channels.email.offering import Offering, Way
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions, Route
from postroom.channels.email.signer import Signer
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import Invalid
from postroom.limits.limiter import Limiter
from postroom.timing import Timing

# Above this the bytes are built in a thread: base64 of 10 MB takes some 50 ms that no other message should wait for.
THREAD_ABOVE_BYTES = 262_144
REMEMBERED = 10_000  # providers; a changed password makes another one

ProvidersOf = Callable[[UUID], Awaitable[Sequence[Provider]]]


class EmailChannel:
    """Implements `Channel` for e-mail."""

    kind = ChannelKind.EMAIL

    def __init__(  # noqa: PLR0913 - what a channel is made of
        self,
        providers_of: ProvidersOf,
        timing: Timing,
        options: EmailOptions,
        limiter: Limiter | None = None,
        signer: Signer | None = None,
    ) -> None:
        """Take what names a tenant's providers in order of preference; it may be asked for every message."""
        self._providers_of = providers_of
        self._timing = timing
        self._options = options
        self._routes: dict[Provider, Route] = {}
        self._chooser = Chooser()
        self._offering = Offering(limiter, timing)
        self._signer = signer
        self._journal = Journal(options.evidence_url) if options.evidence_url else None

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        """Have the parcel taken to a provider and return what became of it.

        The next provider is tried only while nothing was marked. Raises only what `providers_of`, the signer, the
        limiter, `return_path` and `mark` raise, and for a cancellation before the body (`Route.take`).
        """
        providers = self._chooser.order(await self._providers_of(parcel.tenant_id), self._present)
        return await self.offer([Way(provider, self.route(provider)) for provider in providers], parcel, mark)

    async def offer(self, ways: Sequence[Way], parcel: Parcel, mark: Mark) -> Answer:
        """Have the parcel taken by the first of these who can and may, as `hand_off` does."""
        try:
            letter = await self._letter(parcel)
        except Invalid as error:
            detail = clean_detail(f"{error.code}: {error.detail}")
            return Answer(Verdict.REJECTED, Phase.ENVELOPE, "unbuildable_message", detail=detail)
        return await self._offering.offer(ways, letter, mark, parcel.priority)

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        """Ask the relay's journal, where there is one."""
        if self._journal is None or not suspects:
            return {}
        known = await self._journal.ask([suspect.message_id for suspect in suspects])
        said = {suspect: known.get(suspect.message_id) for suspect in suspects}
        return {
            suspect.delivery_id: evidence
            for suspect, evidence in said.items()
            if evidence is Evidence.FOUND or (evidence is Evidence.ABSENT and self._speaks_for(suspect))
        }

    async def close(self) -> None:
        """Let the connections go; one that carries a message goes when it is done."""
        for route in self._routes.values():
            route.pool.close()
        if self._journal:
            await self._journal.close()

    def route(self, provider: Provider) -> Route:
        """Return the way to a provider; equal providers share one."""
        route = self._routes.get(provider)
        if route is None:
            if len(self._routes) >= REMEMBERED:
                self._routes = {known: route for known, route in self._routes.items() if not route.idle}
            route = self._routes[provider] = Route(provider, self._timing, self._options)
        return route

    def _present(self, provider: Provider) -> bool:
        return self.route(provider).breaker.wait <= 0

    async def _letter(self, parcel: Parcel) -> Letter:
        if not is_wire_safe(parcel.address):
            raise Invalid("The recipient is not one plain e-mail address.", code="invalid_recipient")
        message = parcel.message
        if message is None:
            heavy = sum(len(enclosure.content) for enclosure in parcel.enclosures) > THREAD_ABOVE_BYTES
            domain = self._options.domain
            message = await asyncio.to_thread(build, parcel, domain) if heavy else build(parcel, domain)
            if self._signer:
                message = await self._signer.signed(parcel, message)
        return_path = self._options.return_path
        sender = await return_path(parcel) if return_path else None
        sender = sender or parse_sender(parcel.sender).address
        return Letter(sender, parcel.address, message, parcel.priority, parcel.tenant_id)

    def _speaks_for(self, suspect: Suspect) -> bool:
        owner = self._options.evidence_provider
        return owner is None or suspect.provider == owner
