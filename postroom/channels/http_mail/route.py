"""The way to one HTTP mail vendor: connected, marked, posted, judged, under the same protocol as SMTP."""

import asyncio
from dataclasses import dataclass, field, replace
from uuid import UUID

from postroom.channels.base import Answer, Mark, Phase, Verdict
from postroom.channels.email.answers import clean_detail
from postroom.channels.email.breaker import Breaker
from postroom.channels.email.conversation import Letter as Mail
from postroom.channels.http_mail.answers import judged, silence, unreachable
from postroom.channels.http_mail.composing import AGENT, body_of, credentials, fields_of, spellings
from postroom.channels.http_mail.vendors import VENDORS, Vendor
from postroom.contracts.vocabulary import ChannelKind
from postroom.egress.client import EgressClient, Letter, NoAnswerError, UnreachableError, WithdrawnError
from postroom.egress.targets import parse_target
from postroom.errors import Invalid
from postroom.limits.allowance import Allowance, Meter
from postroom.timing import Timing

CONNECTIONS = 16  # side by side, where a service names no number
IDENTITY_HEADER = b"message-id:"


@dataclass(frozen=True, slots=True)
class MailAccount:
    """An account at a vendor. Equal accounts share a way; a changed secret makes another one."""

    name: str
    vendor: str
    url: str
    account: str
    secret: str = field(repr=False)
    owner: UUID
    connections: int | None = None
    allowance: Allowance = field(default=Allowance(), compare=False)

    @property
    def meter(self) -> Meter:
        """Under which name its limits are counted."""
        return Meter(ChannelKind.EMAIL, self.name, self.owner)

    @property
    def protocol(self) -> Vendor:
        """How it is spoken to."""
        return VENDORS[self.vendor]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be kept of a vendor's words."""
        return spellings(self.account, self.secret)

    def post(self, fields: dict[str, object], repeatable: str = "") -> Letter:
        """Write a request; `repeatable` names the message to a vendor that honours a name."""
        vendor = self.protocol
        headers = {
            "Content-Type": str(vendor.encoding),
            "User-Agent": AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            **credentials(vendor, self.account, self.secret),
        }
        if vendor.idempotency and repeatable:
            headers[vendor.idempotency] = repeatable
        # What may be named was decided when the service was written; where it leads is decided by the client.
        target = parse_target(self.url, public_only=False)
        return Letter(target, headers, body_of(vendor, fields, (self.account, self.secret)))


class HttpMailRoute:
    """The way to one account, shared by everybody who uses it; so many requests at once."""

    def __init__(self, account: MailAccount, client: EgressClient, timing: Timing) -> None:
        self.breaker = Breaker(timing)
        self._account = account
        self._client = client
        self._free = asyncio.Semaphore(account.connections or CONNECTIONS)
        self._timing = timing

    async def take(self, letter: Mail, mark: Mark) -> Answer:
        """Post a letter; what it raises and when is as `Route.take` has it."""
        try:
            post = self._account.post(fields_of(self._account.protocol, letter), message_name(letter.message))
        except Invalid as error:
            detail = clean_detail(f"{error.code}: {error.detail}")
            return Answer(Verdict.REJECTED, Phase.ENVELOPE, error.code, self._account.name, detail=detail)
        answer: Answer | None = None
        async with self._free:
            visitor = object()
            if not self.breaker.enter(visitor):
                return replace(self.breaker.outage(), provider=self._account.name)
            try:
                answer = await self._visit(post, letter, mark)
            finally:
                self.breaker.leave(visitor, answer)
        return answer

    async def _visit(self, post: Letter, letter: Mail, mark: Mark) -> Answer:
        """Post it and wait; after the mark only the vendor, or its silence, ends the wait."""
        visit = _Visit(self._account, letter.message, mark, self._timing)
        posting = asyncio.create_task(visit.post(self._client, post))
        while not posting.done():
            try:
                await asyncio.wait({posting})
            except asyncio.CancelledError:
                if not visit.marked:
                    posting.cancel()
                    await asyncio.gather(posting, return_exceptions=True)
                    raise
        return posting.result()


class _Visit:
    """One try."""

    def __init__(self, account: MailAccount, message: bytes, mark: Mark, timing: Timing) -> None:
        self.marked = False
        self._late = False
        self._account = account
        self._message = message
        self._mark = mark
        self._timing = timing

    async def post(self, client: EgressClient, letter: Letter) -> Answer:
        account = self._account
        try:
            reply = await client.post(letter, self._ready)
        except WithdrawnError:
            if self._late:
                return Answer(Verdict.DEFERRED, Phase.MARK, "late_after_mark", account.name)
            return Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn", account.name)
        except UnreachableError as error:
            return unreachable(error, account.name)
        except NoAnswerError as error:
            return silence(error, account.name)
        answer = judged(reply, account.protocol, account.name, account.secrets)
        return answer.waiting_at_most(self._timing.asked_wait_last)

    async def _ready(self) -> bool:
        """Mark it; a body that comes late may be somebody else's by now, and stays here."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._timing.mark_to_body.total_seconds()
        self.marked = await self._mark(self._message, self._account.name)
        self._late = self.marked and clock() > deadline
        return self.marked and not self._late


def message_name(message: bytes) -> str:
    """Return the Message-ID of a finished message, the same on every retry."""
    for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(IDENTITY_HEADER):
            return line[len(IDENTITY_HEADER) :].decode("ascii", "replace").strip()
    return ""
