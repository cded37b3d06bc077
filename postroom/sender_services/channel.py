"""E-mail over sender services: a recipient of a task goes over one of them, everything else as it always did."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from postroom.channels.base import Answer, Bulk, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.channels.email.addresses import parse_sender
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.offering import Road, Way
from postroom.channels.email.providers import Provider
from postroom.channels.http_mail.route import HttpMailRoute, MailAccount
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.egress.client import EgressClient
from postroom.errors import Invalid
from postroom.sender_services.book import ServiceBook, Standing
from postroom.sender_services.choosing import Draw
from postroom.sender_services.models import ALL_FROZEN
from postroom.sender_services.watching import Watch, WatchedRoad
from postroom.timing import Timing

REMEMBERED = 1_000  # accounts at vendors; a changed secret makes another one
NO_SERVICE = "no_sender_service"

# A message that is sent again although nobody knows what became of it: whoever may have it is asked first.
DOUBTED = "SELECT provider FROM deliveries WHERE id = %s AND resends > 0"


@dataclass(frozen=True, slots=True)
class ServiceDesk:
    """What all senders of a process share: the services as they stand, and what is learned of them."""

    database: Database
    book: ServiceBook
    watch: Watch
    client: EgressClient
    timing: Timing


class ServiceMailChannel:
    """Implements `Channel` for e-mail, in front of the ordinary one."""

    kind = ChannelKind.EMAIL

    def __init__(self, ordinary: EmailChannel, desk: ServiceDesk) -> None:
        self._ordinary = ordinary
        self._desk = desk
        self._draw = Draw()
        self._accounts: dict[MailAccount, HttpMailRoute] = {}

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        """Have a parcel taken by a service it may use, or by the tenant's providers where there is none to choose from.

        When all of them are frozen the answer is `all_services_frozen`, with the time to the next try. Raises as
        `EmailChannel.hand_off` does.
        """
        bulk = parcel.bulk
        if bulk is None:
            return await self._ordinary.hand_off(parcel, mark)
        services = await self._desk.book.services_of(parcel.tenant_id)
        if not services and not bulk.services:
            return await self._ordinary.hand_off(parcel, mark)
        usable = await self._usable(parcel, bulk, services)
        if not usable:
            wait = self._desk.timing.service_pause
            return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, NO_SERVICE, retry_after=wait)
        answer = await self._offered(parcel, mark, usable)
        if answer.verdict is Verdict.UNAVAILABLE and answer.pace is None:
            standing = await self._usable(parcel, bulk, await self._desk.book.services_of(parcel.tenant_id))
            if standing and all(one.frozen for one in standing):  # this try, or somebody else's, was one too many
                return replace(self._all_frozen(standing), detail=answer.detail)
        return answer

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        """Ask the relay's journal; a vendor that knows a second copy for what it is need not be asked."""
        told = dict(await self._ordinary.evidence(suspects))
        for suspect in suspects:
            if suspect.provider is None or suspect.delivery_id in told:
                continue
            for one in await self._desk.book.services_of(suspect.tenant_id):
                repeats = isinstance(one.party, MailAccount) and one.party.protocol.idempotency is not None
                if repeats and one.party.name == suspect.provider:
                    told[suspect.delivery_id] = Evidence.REPEATABLE
        return told

    async def close(self) -> None:
        """Let the connections go."""
        await self._ordinary.close()

    async def _offered(self, parcel: Parcel, mark: Mark, usable: Sequence[Standing]) -> Answer:
        roads = await self._roads(parcel, usable)
        try:
            return await self._ordinary.offer([Way(one.party, road) for one, road in roads], parcel, mark)
        finally:
            for _, road in roads:
                await road.leave()

    async def _usable(self, parcel: Parcel, bulk: Bulk, services: Sequence[Standing]) -> list[Standing]:
        try:
            domain = parse_sender(parcel.sender).address.rpartition("@")[2].lower()
        except Invalid:
            domain = ""
        key = None
        if any(one.keys for one in services):
            key = await self._desk.book.creator_of(parcel.tenant_id, bulk.task_id)
        named = [one for one in services if not bulk.services or one.id in bulk.services]
        return [one for one in named if one.serves(key, domain)]

    async def _roads(self, parcel: Parcel, usable: Sequence[Standing]) -> list[tuple[Standing, WatchedRoad]]:
        """Return the open ones, the best first; before them a frozen one that this message has become the probe of."""
        watch = self._desk.watch
        active = self._draw.order([one for one in usable if not one.frozen], await self._doubted(parcel))
        roads = [(one, WatchedRoad(self._road(one), one, watch)) for one in active]
        # One whose quota is used up has no room for a probe either: asked for every message, it would be in the way.
        for one in [one for one in usable if one.due and (one.left > 0 or not roads)]:
            road = self._road(one)
            if road.breaker.wait <= 0 and (token := await watch.claim_probe(one)):
                return [(one, WatchedRoad(road, one, watch, token)), *roads]
        return roads

    async def _doubted(self, parcel: Parcel) -> str | None:
        if parcel.message is None:
            return None
        async with self._desk.database.tenant_transaction(parcel.tenant_id) as connection:
            row = await (await connection.execute(DOUBTED, (parcel.delivery_id,))).fetchone()
        return row["provider"] if row else None

    def _road(self, service: Standing) -> Road:
        if isinstance(service.party, Provider):
            return self._ordinary.route(service.party)
        account = service.party
        if account not in self._accounts:
            if len(self._accounts) >= REMEMBERED:
                self._accounts.clear()
            self._accounts[account] = HttpMailRoute(account, self._desk.client, self._desk.timing)
        return self._accounts[account]

    def _all_frozen(self, services: Sequence[Standing]) -> Answer:
        waits = [one.probe_at - time.monotonic() for one in services if one.probe_at is not None]
        timing = self._desk.timing
        wait = max(timing.outage_first, timedelta(seconds=min(waits))) if waits else timing.service_pause_last
        return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, ALL_FROZEN, retry_after=wait)
