"""Turns what a server said, and when, into an answer: the one table of refusals."""

import re
from enum import StrEnum

from postroom.channels.base import DETAIL_LIMIT, Answer, Phase, Verdict
from postroom.channels.email.replies import CLOSING, Reply, WireError

MULTILINE_LIMIT = 4 * DETAIL_LIMIT

_AUTHENTICATION_CODES = frozenset({530, 534, 535, 538})
_SYSTEM_FULL = 552
NO_MAILBOX = "mailbox_unknown"
UNKNOWN_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
_PERMANENT = {
    "5.2.2": "mailbox_full",
    "5.2.3": "message_too_large",
    "5.3.4": "message_too_large",
    "5.6.7": "smtputf8_unsupported",
}
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class Step(StrEnum):
    """The question a refusal answers."""

    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "BODY"

    @property
    def phase(self) -> Phase:
        """Where in the conversation it stands."""
        return {Step.DATA: Phase.DATA, Step.BODY: Phase.ANSWER}.get(self, Phase.ENVELOPE)


def refused(reply: Reply, step: Step, provider: str) -> Answer:
    """Say what a reply means that was not the hoped-for one.

    Before the body a provider that is closing, wants other credentials or makes no sense says nothing about the
    message; after it, only a clear 4xx or 5xx is a refusal and everything else leaves the outcome unknown.
    """
    verdict, reason = _judged(reply, step)
    return Answer(verdict, step.phase, reason, provider, reply.code, reply.enhanced, clean_detail(reply.text))


def lost(loss: WireError, phase: Phase, provider: str) -> Answer:
    """Say what a lost connection means: nothing before the body, an unknown outcome after it began."""
    if phase in {Phase.BODY, Phase.ANSWER}:
        return Answer(Verdict.UNKNOWN, phase, "outcome_unknown", provider, detail=clean_detail(loss.detail))
    return Answer(Verdict.UNAVAILABLE, phase, loss.reason, provider, detail=clean_detail(loss.detail))


def says_nothing_yet(answer: Answer) -> bool:
    """Whether the message may be offered elsewhere: no provider took notice of it and nothing was marked."""
    return answer.verdict is Verdict.UNAVAILABLE and answer.phase in {Phase.CONNECT, Phase.ENVELOPE, Phase.DATA}


def clean_detail(text: str) -> str:
    """Return a provider's words without addresses and control characters, at most 500 characters."""
    words = _UNPRINTABLE.sub(" ", text[:MULTILINE_LIMIT]).split()
    return " ".join("<address>" if "@" in word else word for word in words)[:DETAIL_LIMIT]


def _judged(reply: Reply, step: Step) -> tuple[Verdict, str]:
    before_body = step is not Step.BODY
    if before_body and reply.code == CLOSING:
        return Verdict.UNAVAILABLE, "provider_busy"
    if before_body and reply.code in _AUTHENTICATION_CODES:
        return Verdict.UNAVAILABLE, "provider_auth_failed"
    if reply.permanent and step is not Step.RSET:
        return Verdict.REJECTED, _permanent_reason(reply, step)
    if reply.temporary and step is not Step.RSET:
        return Verdict.DEFERRED, _temporary_reason(reply)
    return (Verdict.UNAVAILABLE, "protocol_error") if before_body else (Verdict.UNKNOWN, "outcome_unknown")


def _temporary_reason(reply: Reply) -> str:
    if reply.code == CLOSING:
        return "provider_busy"
    return "mailbox_full" if reply.enhanced == "4.2.2" else "temporary_refusal"


def _permanent_reason(reply: Reply, step: Step) -> str:
    status = reply.enhanced or ""
    if status in UNKNOWN_MAILBOX and step is not Step.MAIL:
        return NO_MAILBOX
    if status.startswith("5.7."):
        return "policy_refusal"
    if reply.code == _SYSTEM_FULL and not status:  # of the mailbox at RCPT, of the message elsewhere (RFC 1870)
        return "mailbox_full" if step is Step.RCPT else "message_too_large"
    return _PERMANENT.get(status, "permanent_refusal")
