"""Takes a message to one endpoint of its tenant: connected, marked, posted, judged."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.channels.webhook.answers import judged, silence, unreachable
from postroom.channels.webhook.body import Body, build, frozen
from postroom.channels.webhook.destinations import Destinations, not_now
from postroom.contracts.vocabulary import ChannelKind
from postroom.egress.client import EgressClient, Letter, NoAnswerError, UnreachableError, WithdrawnError
from postroom.egress.targets import Target, parse_target
from postroom.errors import Unavailable
from postroom.identity import ENDPOINT, parse_id
from postroom.webhooks.addressing import DISABLED
from postroom.webhooks.book import Endpoint, EndpointBook
from postroom.webhooks.signing import signed_headers

AGENT = "Postroom"


class WebhookChannel:
    """Implements `Channel` for webhooks.

    At-least-once, as the Standard Webhooks specification has it: an answer that does not come is asked for again under
    the same webhook-id (decision 0015).
    """

    kind = ChannelKind.WEBHOOK

    def __init__(self, book: EndpointBook, client: EgressClient, destinations: Destinations, connections: int) -> None:
        """Take what all senders of the process share, and how many connections this one may have open."""
        self._book = book
        self._client = client
        self._destinations = destinations
        self._connections = asyncio.Semaphore(connections)
        self._timing = destinations.timing

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        """Post a message to its endpoint and return what became of it.

        Raises only what the book and `mark` raise before the mark. Cancelled before the mark, nothing is sent and this
        raises. Cancelled later, it waits for the answer all the same and returns it, so that it can be recorded.
        """
        endpoint = await self._book.endpoint(parcel.tenant_id, parse_id(ENDPOINT, parcel.address))
        if endpoint is None or not endpoint.enabled:
            return not_now(DISABLED, self._timing.place_pause.total_seconds())
        visit = _Visit(endpoint, await self._body(parcel), mark, self._timing.mark_to_body)
        destination = self._destinations.of(endpoint.tenant_id, endpoint.id, visit.target.host)
        if refusal := await destination.enter(parcel.delivery_id, endpoint.rate_per_minute):
            return replace(refusal, provider=visit.target.host)
        answer: Answer | None = None
        try:
            async with self._connections:
                answer = (await visit.outcome(self._client)).waiting_at_most(self._timing.asked_wait_last)
        finally:
            destination.leave(parcel.delivery_id, answer, sent=visit.marked)
        if answer.verdict is Verdict.BUSY:
            answer = replace(answer, retry_after=timedelta(seconds=destination.circuit.wait))
        await self._learn(endpoint, parcel.notification_id, answer)
        return answer

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        """Nobody can be asked, and nobody has to be: a receiver knows a webhook-id it has seen."""
        return dict.fromkeys((suspect.delivery_id for suspect in suspects), Evidence.REPEATABLE)

    async def close(self) -> None:
        """Nothing is held open: the client belongs to all senders."""

    async def _body(self, parcel: Parcel) -> Body:
        if parcel.message is not None:
            return frozen(parcel.message)
        return build(parcel, await self._book.message(parcel.tenant_id, parcel.notification_id))

    async def _learn(self, endpoint: Endpoint, notification_id: UUID | None, answer: Answer) -> None:
        """Keep what an answer says about the endpoint; when that cannot be written, the next answer will say it."""
        try:
            if answer.reason == "gone":
                await self._book.gone(endpoint, notification_id)
            elif answer.verdict is not Verdict.WITHDRAWN:
                await self._book.fares(endpoint, notification_id, well=answer.verdict is Verdict.ACCEPTED)
        except (DatabaseError, Unavailable):
            return


class _Visit:
    """One try at one endpoint."""

    def __init__(self, endpoint: Endpoint, body: Body, mark: Mark, mark_to_body: timedelta) -> None:
        # What may be named was decided when the endpoint was written; where it leads is decided by the client.
        self.target: Target = parse_target(endpoint.url, public_only=False)
        self.marked = False
        self._secrets = endpoint.secrets
        self._body = body
        self._mark = mark
        self._mark_to_body = mark_to_body.total_seconds()

    async def outcome(self, client: EgressClient) -> Answer:
        """Post it and wait; after the mark only the receiver, or its silence, ends the wait."""
        posting = asyncio.create_task(self._post(client))
        while not posting.done():
            try:
                await asyncio.wait({posting})
            except asyncio.CancelledError:
                if not self.marked:
                    posting.cancel()
                    await asyncio.gather(posting, return_exceptions=True)
                    raise
        return posting.result()

    async def _post(self, client: EgressClient) -> Answer:
        provider = self.target.host
        signed = signed_headers(self._body.id, self._body.content, self._secrets)
        headers = {"Content-Type": "application/json", "User-Agent": AGENT, "Accept-Encoding": "identity", **signed}
        try:
            reply = await client.post(Letter(self.target, headers, self._body.content), self._ready)
        except WithdrawnError:
            return Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn", provider)
        except UnreachableError as error:
            return unreachable(error, provider)
        except NoAnswerError as error:
            return silence(error, provider)
        return judged(reply, provider, self._secrets)

    async def _ready(self) -> bool:
        """Mark it; what would follow its mark too late may be somebody else's by now, and stays here."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._mark_to_body
        self.marked = await self._mark(self._body.content, self.target.host) and clock() <= deadline
        return self.marked
