"""The one decision: may this person be reached now? Pure, so that a dry run and a send pass say the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.digests.closing_times import closes_at
from postroom.policy.caps import next_place
from postroom.policy.facts import Facts, Ground, Recipient
from postroom.policy.preferences import Frequency, consent_of, wish_of
from postroom.policy.quiet_hours import quiet_until
from postroom.policy.reasons import Refusal, Wait

URGENT = frozenset({Ground.SECURITY, Ground.CRITICAL})


@dataclass(frozen=True, slots=True)
class Allow:
    """It may go now; `bypassed` names what would have kept it, in the order of the rules."""

    bypassed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Defer:
    """Not before `until`; then it is decided again."""

    until: datetime
    reason: Wait
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skip:
    """Never; the reason says why, and `because` what exactly says so: which list, whose wish."""

    reason: Refusal
    because: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Digest:
    """It is told of with others, at `closes_at`."""

    closes_at: datetime
    frequency: Frequency
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> Wait:
        """The word for it."""
        return Wait.DIGEST


Objection = Defer | Skip | Digest
Verdict = Allow | Objection


@dataclass(frozen=True, slots=True)
class Rule:
    """One question, what it may object, and on which grounds its objection is lifted.

    `of_time` is a question of when to reach a person, and none for a webhook: that goes to a system, which nobody's
    night disturbs.
    """

    name: str
    ask: Callable[[Facts, Recipient, datetime], Objection | None]
    lifted_by: frozenset[Ground]
    of_time: bool = True

    def objection(self, facts: Facts, recipient: Recipient, now: datetime) -> Objection | None:
        """What the rule has to say against a message."""
        if self.of_time and facts.message.subject.channel == ChannelKind.WEBHOOK:
            return None
        return self.ask(facts, recipient, now)


def decide(facts: Facts, now: datetime) -> Verdict:
    """Decide on one message at `now`: the first objection that nothing lifts."""
    if facts.suppressed:
        return Skip(listed_reason(facts.suppressed[0]), facts.suppressed[0])
    if facts.recipient is None:
        return Allow()
    bypassed = []
    for rule in RULES:
        objection = rule.objection(facts, facts.recipient, now)
        if objection is None:
            continue
        if not rule.lifted_by & facts.message.grounds:
            return objection
        bypassed.append(str(objection.reason))
    return Allow(tuple(bypassed))


def counts(facts: Facts) -> bool:
    """Whether a message that may go takes a place under the caps: what they could not have kept takes none."""
    caps = RULES[-1]
    return bool(facts.recipient and facts.caps) and not caps.lifted_by & facts.message.grounds


def listed_reason(reason: str) -> Refusal:
    """The word for an address on a list: what the person did themselves is called by its name."""
    return Refusal(reason) if reason in {Refusal.UNSUBSCRIBED, Refusal.ERASED} else Refusal.SUPPRESSED


def _consent(facts: Facts, recipient: Recipient, now: datetime) -> Skip | None:  # noqa: ARG001 - every rule is asked alike
    subject = facts.message.subject
    if subject.message_class is not MessageClass.MARKETING:
        return None
    said = consent_of(recipient.consent, subject.message_class, subject.channel)
    if said is False:
        return Skip(Refusal.UNSUBSCRIBED, "consent")
    return Skip(Refusal.NO_CONSENT) if facts.house.marketing_requires_consent and not said else None


def _subscription(facts: Facts, recipient: Recipient, now: datetime) -> Skip | None:  # noqa: ARG001 - as above
    whose, wish = wish_of(facts.message.subject, recipient.wishes, facts.default)
    return None if wish.enabled else Skip(Refusal.UNSUBSCRIBED, whose)


def _pause(facts: Facts, recipient: Recipient, now: datetime) -> Defer | None:
    if recipient.paused_for_good:  # until the person says otherwise; the message's time may be over before
        return Defer(facts.message.expires_at, Wait.PAUSED, {"for_good": True})
    if recipient.paused_until is None or recipient.paused_until <= now:
        return None
    return Defer(recipient.paused_until, Wait.PAUSED, {"zone": facts.clock.name})


def _quiet_hours(facts: Facts, recipient: Recipient, now: datetime) -> Defer | None:  # noqa: ARG001 - as above
    zone = facts.zone
    until = quiet_until(facts.quiet_hours, zone, now) if zone else None
    if zone is None or until is None:
        return None
    return Defer(until, Wait.QUIET_HOURS, {"zone": zone.name} | ({"zone_unknown": True} if zone.lost else {}))


def _caps(facts: Facts, recipient: Recipient, now: datetime) -> Defer | None:  # noqa: ARG001 - as above
    place = next_place(facts.taken, facts.caps, now)
    if place is None:
        return None
    return Defer(place.at, Wait.FREQUENCY_CAP, {"limit": place.cap.limit, "per": place.cap.per})


def _digest(facts: Facts, recipient: Recipient, now: datetime) -> Digest | None:
    message = facts.message
    if message.digest or not message.subject.notification_type:
        return None
    _, wish = wish_of(message.subject, recipient.wishes, facts.default)
    if wish.frequency is Frequency.IMMEDIATE:
        return None
    return Digest(closes_at(wish.frequency, facts.clock.info, now), wish.frequency, {"zone": facts.clock.name})


# What a person refused is lifted by nothing but security. An item of a digest reaches nobody by itself, so it is
# gathered before quiet hours and caps are asked, and takes no place.
RULES = (
    Rule("consent", _consent, frozenset({Ground.SECURITY}), of_time=False),
    Rule("subscription", _subscription, frozenset({Ground.SECURITY}), of_time=False),
    Rule("pause", _pause, URGENT),
    Rule("digest", _digest, URGENT | {Ground.SEND_NOW}),
    Rule("quiet_hours", _quiet_hours, URGENT | {Ground.SEND_NOW}),
    Rule("caps", _caps, URGENT | {Ground.SEND_NOW}),
)
