"""What every rule finds about a message, in words, one after the other: for whoever asks what would happen, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postroom.contracts.vocabulary import MessageClass
from postroom.policy.decision import RULES, Defer, Digest, Objection, Rule, Skip, decide, listed_reason
from postroom.policy.facts import Facts, Ground, Recipient
from postroom.policy.preferences import consent_of, wish_of
from postroom.policy.telling import said_of


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule finds: `passes`, `skip`, `defer` or `digest`, or `lifted` when it would have but must not."""

    rule: str
    finding: str
    said: str
    reason: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict on a message, `summary` is it in a sentence, and what every rule found."""

    verdict: str
    reason: str | None
    until: datetime | None
    bypassed: Sequence[str]
    summary: str
    rules: Sequence[Finding]


def explain(facts: Facts, now: datetime) -> Explanation:
    """Explain what `decide` says about the same facts."""
    verdict = decide(facts, now)
    found = [_lists(facts)]
    if facts.recipient:
        found += [_find(rule, facts, facts.recipient, now) for rule in RULES]
    if not isinstance(verdict, Objection):
        lifted = [one.said for one in found if one.finding == "lifted"]
        summary = f"It would go, in spite of: {'; '.join(lifted)}." if lifted else "It would go."
        return Explanation("allow", None, None, verdict.bypassed, summary, found)
    word = _word(verdict)
    said = next(one.said for one in found if one.finding == word)
    return Explanation(word, str(verdict.reason), _until(verdict), (), _summary(verdict, said, now), found)


def unreachable(reason: str, said: str) -> Explanation:
    """Explain that there is no address to send to."""
    return Explanation("skip", reason, None, (), _never(said), [Finding("address", "skip", said, reason)])


def _summary(verdict: Objection, said: str, now: datetime) -> str:
    until = _until(verdict)
    if until is None or isinstance(verdict, Skip):
        return _never(said)
    return f"It would wait: {_waiting(str(verdict.reason), {'until': until} | dict(verdict.detail), now)}."


def _never(said: str) -> str:
    return f"It would not be sent: {said}."


def _lists(facts: Facts) -> Finding:
    if facts.suppressed:
        reason = facts.suppressed[0]
        return Finding("suppression", "skip", f"the address is on a list: {reason}", str(listed_reason(reason)))
    return Finding("suppression", "passes", "the address is on no list that concerns this message")


def _find(rule: Rule, facts: Facts, recipient: Recipient, now: datetime) -> Finding:
    objection = rule.objection(facts, recipient, now)
    said = SENTENCES[rule.name](facts, recipient, now)
    if objection is None:
        return Finding(rule.name, "passes", said)
    word = _word(objection)
    if rule.lifted_by & facts.message.grounds:
        word, said = "lifted", f"{said}; lifted: {_grounds(rule, facts)}"
    return Finding(rule.name, word, said, str(objection.reason), _until(objection))


def _grounds(rule: Rule, facts: Facts) -> str:
    return ", ".join(str(ground) for ground in Ground if ground in rule.lifted_by & facts.message.grounds)


def _word(objection: Objection) -> str:
    return {Skip: "skip", Defer: "defer", Digest: "digest"}[type(objection)]


def _until(objection: Objection) -> datetime | None:
    match objection:
        case Defer(until):
            return until
        case Digest(closes_at):
            return closes_at
    return None


def _consent(facts: Facts, recipient: Recipient, now: datetime) -> str:  # noqa: ARG001 - every rule is told alike
    subject = facts.message.subject
    if subject.message_class is not MessageClass.MARKETING:
        return f"{subject.message_class} needs no consent"
    said = {True: "given", False: "refused", None: "neither given nor refused"}
    asked = "asks for it" if facts.house.marketing_requires_consent else "does not ask for it"
    answer = said[consent_of(recipient.consent, subject.message_class, subject.channel)]
    return f"consent to marketing over {subject.channel}: {answer}; the tenant {asked}"


def _subscription(facts: Facts, recipient: Recipient, now: datetime) -> str:  # noqa: ARG001 - as above
    whose, wish = wish_of(facts.message.subject, recipient.wishes, facts.default)
    return f"{whose}: {'on' if wish.enabled else 'off'}"


def _pause(facts: Facts, recipient: Recipient, now: datetime) -> str:
    if recipient.paused_for_good:
        return "paused by the person until they say otherwise"
    if recipient.paused_until is None or recipient.paused_until <= now:
        return "the person has paused nothing"
    return _waiting("paused", {"until": recipient.paused_until, "zone": facts.clock.name}, now)


def _digest(facts: Facts, recipient: Recipient, now: datetime) -> str:
    message = facts.message
    if message.digest:
        return "it is a digest itself"
    if not message.subject.notification_type:
        return "without a type nothing is gathered"
    whose, wish = wish_of(message.subject, recipient.wishes, facts.default)
    rule = next(rule for rule in RULES if rule.name == "digest")
    objection = rule.objection(facts, recipient, now)
    closing = ""
    if isinstance(objection, Digest):
        closing = ": " + _waiting("digest", {"until": objection.closes_at} | dict(objection.detail), now)
    return f"{whose}: {wish.frequency}{closing}"


def _quiet_hours(facts: Facts, recipient: Recipient, now: datetime) -> str:
    zone = facts.zone
    if zone is None:
        return "no zone is known, neither the contact's nor the tenant's: quiet hours do not apply"
    if not facts.quiet_hours.windows:
        return "no quiet hours"
    whose = "the tenant's" if recipient.quiet_hours is None else "the person's own"
    lost = " (unknown, read as UTC)" if zone.lost else ""
    clock = f"{now.astimezone(zone.info):%a %H:%M}"
    return f"quiet hours {facts.quiet_hours.spelled} {zone.name}{lost}, {whose}: {clock} there"


def _caps(facts: Facts, recipient: Recipient, now: datetime) -> str:  # noqa: ARG001 - as above
    if not facts.caps:
        return "not counted"
    counts = [(cap, sum(at > now - cap.window for at in facts.taken)) for cap in facts.caps]
    return ", ".join(f"{count} of {cap.limit} per {cap.per}" for cap, count in counts)


def _waiting(reason: str, detail: Mapping[str, Any], now: datetime) -> str:
    until: datetime = detail["until"]
    return said_of(reason, dict(detail) | {"until": until.isoformat()}, until - now) or reason


SENTENCES: Mapping[str, Callable[[Facts, Recipient, datetime], str]] = {
    "consent": _consent,
    "subscription": _subscription,
    "pause": _pause,
    "digest": _digest,
    "quiet_hours": _quiet_hours,
    "caps": _caps,
}
