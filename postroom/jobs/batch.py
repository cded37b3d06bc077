"""What a tenant asks for many people at once, and the rules that span them."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import FieldError, Invalid, TooLarge
from postroom.identity import new_id
from postroom.notifications.placeholders import Gap
from postroom.notifications.request import Request
from postroom.templates.resolving import Resolved
from postroom.tenants.gate import Identity
from postroom.timing import Timing

SHOWN_ERRORS = 100
COPIED_BYTES = 50_000_000  # the words are stored for each person; with files, more than this is no batch of messages
JUDGED_AT_ONCE = 50  # addresses, about 3 ms of work; between two such groups others have their turn


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person of a batch, and what is said to them alone; `notification_id` is the id of their notification.

    `variables` of nothing differ from none: they say that the words hold placeholders.
    """

    user_id: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] | None = None
    notification_id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Batch:
    """One request for many people, about to be written; `request` names none of them."""

    id: UUID
    tenant_id: UUID
    api_key_id: UUID
    request: Request
    recipients: Sequence[Recipient]
    place: str  # where in the body the recipients stand
    life: timedelta
    fallback_after: timedelta
    gaps: Mapping[str, Gap] = field(default_factory=dict)  # whom nothing can be said to, by user_id
    resolved: Resolved | None = None  # what its template came to

    @property
    def has_variables(self) -> bool:
        """Whether its words are read for placeholders; else they are everybody's as they stand, or a template's."""
        return self.request.template is None and any(recipient.variables is not None for recipient in self.recipients)

    def metadata_json(self, recipient: Recipient) -> str:
        """Spell what is said to everybody together with what is said to one; the one goes before."""
        both = {**self.request.metadata, **recipient.metadata}
        return json.dumps(both, ensure_ascii=False, separators=(",", ":"))

    async def check(self, now: datetime) -> None:
        """Refuse what could not be carried, with a pointer to each recipient it is about.

        Raises:
            Invalid: somebody is named twice, an address is none, or a rule of single notifications is broken.
            TooLarge: the message times its recipients is more than one batch may write.
        """
        if ChannelKind.EMAIL in self.request.metadata:
            detail = "One address for everybody would get every copy; addresses belong to each recipient."
            raise Invalid.at(f"/metadata/{ChannelKind.EMAIL}", "shared_address", detail)
        replace(self.request, user_id=self.recipients[0].user_id).check(now)  # what is said to everybody
        errors = list(self._doubles())
        for start in range(0, len(self.recipients), JUDGED_AT_ONCE):
            errors += self._judged(start, now)
            await asyncio.sleep(0)
        if errors:
            raise refusal(errors)
        if not self.has_variables:
            words = len((self.request.body_text or "").encode()) + len((self.request.body_html or "").encode())
            self.check_weight(words * len(self.recipients))

    def _doubles(self) -> Iterator[FieldError]:
        seen: dict[str, int] = {}
        for position, recipient in enumerate(self.recipients):
            first = seen.setdefault(recipient.user_id, position)
            if first != position:
                detail = f"The same user_id stands at {first}; a batch addresses everybody once."
                yield FieldError(f"{self.place}/{position}", "duplicate_recipient", detail)

    def _judged(self, start: int, now: datetime) -> Iterator[FieldError]:
        """Hold some recipients to the rules of a notification; what is wrong with all of them is raised as it is."""
        group = self.recipients[start : start + JUDGED_AT_ONCE]
        for position, recipient in enumerate(group, start):
            try:
                replace(self.request, user_id=recipient.user_id, metadata=recipient.metadata).check(now)
            except Invalid as error:
                personal = [one for one in error.errors if one.pointer.startswith("/metadata/")]
                if not personal:
                    raise
                for one in personal:
                    yield FieldError(f"{self.place}/{position}{one.pointer}", one.code, one.detail)

    def check_weight(self, words: int) -> None:
        """Refuse more than one batch may write; `words` are the bytes of what all recipients are told.

        Raises:
            TooLarge: with the files, it is.
        """
        files = sum(len(enclosure.content) for enclosure in self.request.attachments)
        if words + files * len(self.recipients) > COPIED_BYTES:
            detail = f"Text, HTML and attachments times recipients have at most {COPIED_BYTES} bytes."
            raise TooLarge(detail, code="batch_too_large")


def refusal(errors: Sequence[FieldError]) -> Invalid:
    """Put what is wrong with single recipients together: all are counted, the first hundred shown."""
    code = errors[0].code if len({error.code for error in errors}) == 1 else Invalid.code
    detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} recipients are wrong."
    return Invalid(detail, code=code, errors=errors[:SHOWN_ERRORS])


def write_batch(
    request: Request, recipients: tuple[str, Sequence[Recipient]], identity: Identity, timing: Timing
) -> Batch:
    """Give a request for many its id and its defaults; `recipients` come with their place in the body."""
    place, people = recipients
    return Batch(
        id=new_id(),
        tenant_id=identity.tenant_id,
        api_key_id=identity.key_id,
        request=request,
        recipients=people,
        place=place,
        life=timing.life(request.message_class),
        fallback_after=request.fallback_after or timing.fallback(request.priority),
    )
