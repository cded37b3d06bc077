"""The story of one notification in plain sentences, told from the rows that hold it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from postroom.contracts.vocabulary import ChannelKind, DeliveryState, NotificationState, Priority, Strategy
from postroom.feedback.telling import came_back
from postroom.identity import CARRIER, DELIVERY, TEMPLATE, public_id
from postroom.notifications.models import (
    Carrier,
    Delivery,
    DeliveryAttempt,
    Notification,
    NotificationContent,
    NotificationEvent,
)
from postroom.policy.telling import told_of

OVER = {
    ChannelKind.EMAIL: "e-mail",
    ChannelKind.IN_APP: "the in-app inbox",
    ChannelKind.WEBHOOK: "webhook",
}
REASONS = {
    "accepted": "a provider took responsibility",
    "after_expiry": "its time was over",
    "blocked_destination": "the provider does not stand on the public network",
    "cancelled": "it was cancelled",
    "channel_expired": "the turn of its channel was over",
    "destination_busy": "its receiver has as much to do as it can bear",
    "destination_failing": "its receiver keeps failing",
    "destination_unreachable": "its receiver cannot be reached",
    "digested": "it was told in a digest",
    "dropped_by_provider": "the provider ended the connection at this message",
    "endpoint_disabled": "the endpoint is disabled",
    "erased": "the person was erased",
    "evidence_found": "the provider has it",
    "expired": "its time was over",
    "failing": "it did nothing but fail for days",
    "gone": "the receiver wants nothing more (410)",
    "invalid_recipient": "its address is not one plain e-mail address",
    "late_evidence": "the provider's acceptance was learned late",
    "mailbox_full": "the mailbox is full",
    "mailbox_unknown": "there is no such mailbox",
    "message_too_large": "the message is too large for the provider",
    "no_consent": "the person never agreed to be told such things",
    "no_address": "there is no address for this channel",
    "no_answer": "no answer came",
    "no_provider": "the tenant has no provider",
    "no_such_endpoint": "the tenant has no such webhook endpoint",
    "outcome_unknown": "nobody can tell whether it arrived",
    "permanent_refusal": "the provider refused it for good",
    "policy_refusal": "the provider refused it by policy",
    "protocol_error": "the provider did not speak the protocol",
    "provider_auth_failed": "the provider refused our credentials",
    "provider_busy": "the provider is busy",
    "provider_daily_limit": "the provider is at its daily limit",
    "provider_limit": "the provider is at its limit",
    "provider_unreachable": "the provider cannot be reached",
    "rate_limited": "its endpoint has had as many this minute as it takes",
    "receiver_busy": "the receiver asked to wait",
    "receiver_error": "the receiver failed",
    "receiver_refused": "the receiver did not take it",
    "receiver_unavailable": "the receiver is behind a gateway that cannot reach it",
    "recipient_domain_not_allowed": "mail to its domain is not possible",
    "redirect_refused": "the receiver points elsewhere, and redirects are not followed",
    "retries_exhausted": "every attempt was refused",
    "smtputf8_unsupported": "the provider takes no such address",
    "suppressed": "the address is on the suppression list",
    "template_not_approved": "its template was never approved as it stands",
    "template_syntax": "its template cannot be read",
    "template_timeout": "its template takes too long to render",
    "template_title_invalid": "its template makes no title that can be sent",
    "template_too_complex": "its template is too large or nested too deeply",
    "template_too_expensive": "its template computes too much",
    "template_too_large": "its template comes to too much text",
    "template_undefined": "its template names something that has no value",
    "template_unsafe": "its template does what no template may",
    "template_value_invalid": "a value does not fit what its template does with it",
    "renderer_busy": "nobody could put it into words yet",
    "temporary_refusal": "the provider asked to come back later",
    "tls_failed": "the provider's certificate could not be verified",
    "tls_required": "the provider offers no TLS",
    "unbuildable_message": "it could not be made into a message",
    "unsubscribed": "the person does not want to hear of it",
    "user_rate_limited": "the person was addressed too often within a minute",
    "variable_invalid": "a variable has no value that fits",
    "variable_missing": "a variable is missing",
}
ATTEMPTS = {
    "marked": "Attempt {attempt} began: the message is being handed to {place}.",
    "accepted": "{provider} accepted the message at attempt {attempt}.",
    "deferred": "{provider} refused attempt {attempt} for now{reply}.",
    "rejected": "{provider} refused the message for good at attempt {attempt}{reply}.",
    "refused_here": "Attempt {attempt} ended before the message left{because}.",
    "unknown": "{provider} did not answer attempt {attempt}; it may have been accepted.",
    "evidence": "{provider} was asked what became of attempt {attempt}.",
}
EVENTS = {
    "cancelled": "Cancelled on request; nothing was being handed off.",
    "cancel_requested": "Cancellation was asked for while a hand-off was open; its outcome decides.",
    "rescheduled": "Rescheduled to {due}.",
    "send_now": "Sending at once was asked for.",
    "retried": "Opened again with a new plan of attempts.",
    "next_channel": "The next channel has its turn: {channel}{because}.",
    "collected": "Collected into digest {digest}, which closes at {closes}.",
    "digested": "Told in {told}, with the rest of digest {digest}.",
    "gathered": "Tells of {items} that waited in digest {digest}.",
    "corrected": "Corrected to sent{because}.",
    "skipped": "Not sent over {channel}{because}{cause}.",
    "provider_outage": "Waiting for the provider of {channel}{because}.",
    "provider_limit": "Waiting until {until}{because} ({provider}).",
    "destination_wait": "Waiting for its destination{because}.",
    "endpoint_disabled": "Its endpoint was disabled{because}.",
    "erased": "Its person was erased, and what they were told with them.",
    "no_words": "It could not be put into words{because}: {gap}.",
}
ENDS = {
    NotificationState.SENT: "Finished: sent.",
    NotificationState.SKIPPED: "Finished: skipped{because}.",
    NotificationState.FAILED: "Finished: failed{because}.",
    NotificationState.EXPIRED: "Finished: its time was over before it could be sent.",
    NotificationState.CANCELLED: "Finished: cancelled.",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the story."""

    at: datetime
    kind: str
    reason: str | None
    summary: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def tell(
    notification: Notification,
    carrier: Carrier | None,
    attempts: Sequence[tuple[Delivery, DeliveryAttempt]],
    events: Sequence[NotificationEvent],
) -> list[Entry]:
    """Put everything that is written about a notification in order."""
    moved = any(event.kind == "rescheduled" for event in events)
    entries = [_acceptance(notification, None if moved else notification.scheduled_at)]
    if carrier is not None:
        # A carrier of a wake minute may be older than a member that joined it.
        entries.append(_carriage(carrier, max(carrier.created_at, notification.created_at)))
    entries += [_attempted(delivery, attempt) for delivery, attempt in attempts]
    entries += [_decided(event) for event in events]
    entries += _end(notification)
    return sorted(entries, key=lambda entry: entry.at)


def _acceptance(notification: Notification, scheduled_at: datetime | None) -> Entry:
    link = " then " if notification.strategy == Strategy.FIRST else " and "
    names = link.join(OVER[ChannelKind(channel)] for channel in notification.channels)
    later = f", to be sent at {_clock(scheduled_at)}" if scheduled_at else ""
    summary = f"Accepted with {Priority(notification.priority).label} priority for {names}{later}."
    return Entry(notification.created_at, "accepted", None, summary, {"channels": notification.channels})


def speech(content: NotificationContent, at: datetime) -> Iterator[Entry]:
    """Say which template it was accepted with, if there is one."""
    if content.template_id is None:
        return
    version, template = content.template_version, public_id(TEMPLATE, content.template_id)
    told = {"template": template, "version": version, "language": content.language}
    detail = {name: value for name, value in told.items() if value is not None}
    summary = f"It speaks with version {version} of a template, whatever is written after it."
    yield Entry(at, "template_pinned", None, summary, detail)


def _carriage(carrier: Carrier, at: datetime) -> Entry:
    company = "by itself" if carrier.size == 1 else f"with {carrier.size - 1} others"
    detail = {"carrier": public_id(CARRIER, carrier.id), "workflow_id": carrier.workflow_id, "size": carrier.size}
    return Entry(at, "carried", None, f"Given to a workflow, {company}.", detail)


def _attempted(delivery: Delivery, attempt: DeliveryAttempt) -> Entry:
    channel = OVER[ChannelKind(delivery.channel)]
    ours = delivery.channel == ChannelKind.IN_APP  # an inbox has no provider but ourselves
    provider = channel if ours else attempt.provider or delivery.provider or "the provider"
    reply = f" (reply {attempt.code}{f' {attempt.enhanced}' if attempt.enhanced else ''})" if attempt.code else ""
    reason = _reason_of(delivery, attempt)
    summary = ATTEMPTS[_told_as(attempt)].format(
        attempt=attempt.attempt,
        provider=provider,
        place=channel if ours else f"{provider} over {channel}",
        reply=reply,
        because=_because(reason),
    )
    if attempt.event == delivery.state == DeliveryState.DEFERRED and attempt.attempt == delivery.attempt:
        summary += f" The next attempt is due at {_clock(delivery.not_before)}."
    told = {
        "delivery": public_id(DELIVERY, delivery.id),
        "channel": delivery.channel,
        "attempt": attempt.attempt,
        "variant": delivery.template_variant,
        "language": delivery.language,
        "provider": attempt.provider,
        "phase": attempt.phase,
        "code": attempt.code,
        "enhanced": attempt.enhanced,
        "latency_ms": attempt.latency_ms,
        "detail": attempt.detail,
    }
    detail = {name: value for name, value in told.items() if value is not None}
    return Entry(attempt.at, f"attempt_{attempt.event}", reason, summary[:1].upper() + summary[1:], detail)


def _told_as(attempt: DeliveryAttempt) -> str:
    """A message that was refused before any provider was asked has no provider to blame."""
    blameless = attempt.event == DeliveryState.REJECTED and attempt.provider is None
    return "refused_here" if blameless else attempt.event


def _reason_of(delivery: Delivery, attempt: DeliveryAttempt) -> str | None:
    """The last answer's reason stands on the delivery; earlier ones begin their detail with it."""
    if attempt.event in {DeliveryState.DEFERRED, DeliveryState.REJECTED} and attempt.detail:
        return attempt.detail.partition(":")[0]
    return delivery.reason if attempt.attempt == delivery.attempt and attempt.event == delivery.state else None


def _decided(event: NotificationEvent) -> Entry:
    told = told_of(event.kind, event.reason, event.detail) or came_back(event.kind, event.reason, event.detail)
    if told:
        return Entry(event.at, event.kind, event.reason, told, event.detail)
    channel, provider = event.detail.get("channel"), event.detail.get("provider")
    due_at, until = event.detail.get("due_at"), event.detail.get("until")
    closes_at = event.detail.get("closes_at")
    summary = EVENTS.get(event.kind, event.kind.replace("_", " ").capitalize() + "{because}.").format(
        due=_clock(datetime.fromisoformat(due_at)) if due_at else "another time",
        because=_because(event.reason),
        channel=OVER[ChannelKind(channel)] if channel else "this channel",
        cause=f" ({event.detail['because']})" if event.detail.get("because") else "",
        provider=provider or "the provider",
        until=_clock(datetime.fromisoformat(until)) if until else "there is room",
        digest=event.detail.get("digest"),
        told=event.detail.get("notification"),
        items=_many(event.detail.get("items", 0)),
        closes=_clock(datetime.fromisoformat(closes_at)) if closes_at else "a time of its own",
        gap=_gap(event.detail),
    )
    return Entry(event.at, event.kind, event.reason, summary, event.detail)


def _gap(detail: Mapping[str, Any]) -> str:
    """Where words are missing: `order.total in html, line 3`."""
    place = " in ".join(detail[name] for name in ("variable", "field") if detail.get(name))
    return f"{place}, line {detail['line']}" if detail.get("line") else place


def _end(notification: Notification) -> Iterator[Entry]:
    if notification.ended_at is None:
        return
    state = NotificationState(notification.state)
    summary = ENDS[state].format(because=_because(notification.reason))
    yield Entry(notification.ended_at, str(state), notification.reason, summary)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _many(count: int) -> str:
    return "one notification" if count == 1 else f"{count} notifications"


def _because(reason: str | None) -> str:
    if reason is None:
        return ""
    return f", because {REASONS.get(reason, reason.replace('_', ' '))}"
