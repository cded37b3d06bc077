"""Tries a service without sending anything: whether it is there, and whether it knows our credentials."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from postroom.channels.base import Answer, Phase, Verdict
from postroom.channels.email.connection import Dialer
from postroom.channels.email.connection import UnreachableError as NoConnectionError
from postroom.channels.email.providers import Provider
from postroom.channels.http_mail.answers import judged, silence, unreachable
from postroom.channels.http_mail.route import MailAccount
from postroom.egress.client import EgressClient, NoAnswerError, Patience, UnreachableError
from postroom.limits.allowance import Allowance
from postroom.rates import Rate, RateExceeded
from postroom.sender_services.destination import party_of
from postroom.sender_services.service import SenderServices
from postroom.tenants.secrets import Seal
from postroom.timing import Timing

TRIES_PER_MINUTE = 10  # of one tenant: wrong passwords lock accounts, and nobody is to look for open ports from here


@dataclass(frozen=True, slots=True)
class Finding:
    """What a try found: `answer` in the words of a hand-off, the server's features, and how long it took."""

    good: bool
    answer: Answer
    features: Sequence[str]
    took: timedelta


class ServiceTrial:
    """Tries services, by the same rules of egress under which mail goes."""

    def __init__(self, services: SenderServices, seal: Seal, timing: Timing, *, public_only: bool) -> None:
        self._services = services
        self._seal = seal
        self._timing = timing
        self._public_only = public_only
        self._rate = Rate(TRIES_PER_MINUTE)

    async def attempt(self, tenant_id: UUID, service_id: UUID, own_name: str) -> Finding:
        """Connect and sign in; `own_name` is said in EHLO.

        Raises:
            NotFound: the tenant has no such service.
            RateExceeded: the tenant has tried enough for now.
        """
        service = await self._services.get(tenant_id, service_id)
        standing = self._rate.hit(tenant_id)
        if not standing.allowed:
            raise RateExceeded(f"At most {TRIES_PER_MINUTE} tries a minute.", "too_many_tests", standing)
        row = {column.key: getattr(service, column.key) for column in service.__table__.columns}
        party = party_of(row, self._seal, Allowance(), public_only=self._public_only)
        began = time.monotonic()
        if isinstance(party, Provider):
            answer, features = await self._connect(party, own_name)
        else:
            answer, features = await self._ask(party), ()
        took = timedelta(seconds=time.monotonic() - began)
        return Finding(answer.verdict is Verdict.ACCEPTED, answer, features, took)

    async def _connect(self, provider: Provider, own_name: str) -> tuple[Answer, Sequence[str]]:
        try:
            connection = await Dialer(provider, self._timing, own_name).dial()
        except NoConnectionError as error:
            return error.answer, ()
        connection.wire.farewell()
        return Answer(Verdict.ACCEPTED, Phase.CONNECT, "signed_in", provider.name), sorted(connection.features)

    async def _ask(self, account: MailAccount) -> Answer:
        """Post a message without any part: a vendor that knows us says what is missing, any other that it does not."""
        timing = self._timing
        patience = Patience(timing.connect_patience, timing.vendor_answer, timing.webhook_words)
        client = EgressClient(patience, public_only=self._public_only)
        try:
            reply = await client.post(account.post({}), _ready)
        except UnreachableError as error:
            return unreachable(error, account.name)
        except NoAnswerError as error:
            return silence(error, account.name)
        finally:
            await client.close()
        answer = judged(reply, account.protocol, account.name, account.secrets)
        if answer.verdict in {Verdict.ACCEPTED, Verdict.REJECTED, Verdict.DEFERRED}:
            return Answer(Verdict.ACCEPTED, Phase.ANSWER, "signed_in", account.name, answer.code, detail=answer.detail)
        return answer


async def _ready() -> bool:
    return True
