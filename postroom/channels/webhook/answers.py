"""Turns what a receiver said into an answer: the one table of HTTP statuses."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from postroom.channels.base import DETAIL_LIMIT, Answer, Phase, Verdict
from postroom.egress.client import NoAnswerError, Reply, UnreachableError
from postroom.webhooks.signing import PREFIX

# As they are, and as JSON, URLs and HTML write them: abc\/def, abc%2Fdef, abc&#x2F;def.
_SECRET = re.compile(r"whsec_[\w+/=\\%&#;-]*|v1,[\w+/=\\%&#;-]+", re.ASCII)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)

# The specification wants every answer but 2xx retried, and 410 to end it.
_REASONS: dict[int, str] = {
    HTTPStatus.TOO_MANY_REQUESTS: "receiver_busy",
    HTTPStatus.SERVICE_UNAVAILABLE: "receiver_busy",
    HTTPStatus.BAD_GATEWAY: "receiver_unavailable",
    HTTPStatus.GATEWAY_TIMEOUT: "receiver_unavailable",
}
_BY_HUNDRED = {3: "redirect_refused", 4: "receiver_refused", 5: "receiver_error"}


def judged(reply: Reply, provider: str, secrets: Sequence[str]) -> Answer:
    """Say what a reply means; its words are kept without secrets, addresses and control characters."""
    hundred = reply.status // 100
    if hundred == HTTPStatus.OK // 100:
        verdict, reason = Verdict.ACCEPTED, "accepted"
    elif reply.status == HTTPStatus.GONE:
        verdict, reason = Verdict.REJECTED, "gone"
    else:
        verdict = Verdict.DEFERRED
        reason = _REASONS.get(reply.status) or _BY_HUNDRED.get(hundred, "protocol_error")
    return Answer(
        verdict,
        Phase.ANSWER,
        reason,
        provider,
        code=reply.status,
        detail=words_of(reply.body.decode(errors="replace"), secrets),
        retry_after=retry_after(reply) if verdict is Verdict.DEFERRED else None,
        latency=reply.latency,
    )


def silence(error: NoAnswerError, provider: str) -> Answer:
    """Say what it means that nothing came back: it is sent again, and the receiver knows its webhook-id."""
    return Answer(
        Verdict.DEFERRED, Phase.ANSWER, error.reason, provider, detail=words_of(error.detail), latency=error.latency
    )


def unreachable(error: UnreachableError, provider: str) -> Answer:
    """Say what it means that nothing could be sent: nothing about the message, and nothing about other receivers."""
    return Answer(Verdict.BUSY, Phase.CONNECT, error.reason, provider, detail=words_of(error.detail))


def retry_after(reply: Reply) -> timedelta | None:
    """Read Retry-After (RFC 9110 section 10.2.3), in seconds or as a date."""
    text = reply.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year or an offset of twenty digits
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(timedelta(0), aware - datetime.now(UTC))


def words_of(text: str, secrets: Sequence[str] = ()) -> str:
    """Return a receiver's words, fit to be shown: at most 500 characters, nothing secret in them."""
    for secret in secrets:
        text = text.replace(secret, "<secret>").replace(secret.removeprefix(PREFIX), "<secret>")
    words = _SECRET.sub("<secret>", _UNPRINTABLE.sub(" ", text)).split()
    return " ".join("<address>" if "@" in word else word for word in words)[:DETAIL_LIMIT]
