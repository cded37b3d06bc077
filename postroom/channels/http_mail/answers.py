"""Turns what a vendor said into an answer: the one table of HTTP statuses, and the vendor's own codes within it."""

import json
from collections.abc import Sequence
from typing import Any

from postroom.channels.base import Answer, Phase, Verdict
from postroom.channels.email.answers import clean_detail
from postroom.channels.http_mail.vendors import Meaning, Path, Vendor
from postroom.channels.webhook.answers import retry_after
from postroom.egress.client import NoAnswerError, Reply, UnreachableError

_SILENT: Meaning = (Verdict.UNKNOWN, "outcome_unknown")
_AWAY: Meaning = (Verdict.UNAVAILABLE, "protocol_error")
_BUSY: Meaning = (Verdict.UNAVAILABLE, "provider_busy")
_REFUSED: Meaning = (Verdict.REJECTED, "permanent_refusal")
_LATER: Meaning = (Verdict.DEFERRED, "temporary_refusal")

# What is about the account or the address of the API says nothing about the message. Behind a gateway's failure the
# vendor may have the message; only 503 promises that nothing was done (RFC 9110 section 15.6.4). A 303 leads from what
# was done to what came of it (section 15.4.4).
_BY_STATUS: dict[int, Meaning] = {
    303: _SILENT,
    401: (Verdict.UNAVAILABLE, "provider_auth_failed"),
    402: (Verdict.UNAVAILABLE, "provider_limit"),
    403: (Verdict.UNAVAILABLE, "provider_auth_failed"),
    404: _AWAY,
    405: _AWAY,
    408: _SILENT,
    409: _SILENT,
    410: _AWAY,
    413: (Verdict.REJECTED, "message_too_large"),
    429: _BUSY,
    503: _BUSY,
}
_BY_HUNDRED: dict[int, Meaning] = {2: (Verdict.ACCEPTED, "accepted"), 3: _AWAY, 4: _REFUSED, 5: _SILENT}
_TAKEN = 2
_REFUSING = 4


def judged(reply: Reply, vendor: Vendor, provider: str, secrets: Sequence[str]) -> Answer:
    """Say what a reply means; the words are kept without the secrets, addresses and control characters."""
    said = _read(reply.body)
    verdict, reason = _meaning(reply.status, said, vendor)
    words = reply.body.decode(errors="replace")
    if verdict is Verdict.ACCEPTED and (name := found(said, vendor.message_id)):
        words = f"message id {name[0] if isinstance(name, list) and name else name}"
    wait = retry_after(reply) if verdict in {Verdict.UNAVAILABLE, Verdict.DEFERRED} else None
    for secret in secrets:  # before anything is cut off
        words = words.replace(secret, "<secret>")
    detail = clean_detail(words)
    return Answer(
        verdict, Phase.ANSWER, reason, provider, reply.status, detail=detail, retry_after=wait, latency=reply.latency
    )


def silence(error: NoAnswerError, provider: str) -> Answer:
    """Say what it means that nothing came back: the vendor may have it."""
    detail = clean_detail(error.detail)
    return Answer(Verdict.UNKNOWN, Phase.ANSWER, "outcome_unknown", provider, detail=detail, latency=error.latency)


def unreachable(error: UnreachableError, provider: str) -> Answer:
    """Say what it means that nothing could be sent."""
    reason = "provider_unreachable" if error.reason == "destination_unreachable" else error.reason
    return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, reason, provider, detail=clean_detail(error.detail))


def found(said: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return what stands at a place of an answer; None where there is no such place."""
    for step in path:
        said = said.get(step) if isinstance(said, dict) else None
    return said if path else None


def _meaning(status: int, said: Any, vendor: Vendor) -> Meaning:  # noqa: ANN401 - any JSON value
    general = _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, _AWAY)
    if not vendor.code or status // 100 not in {_TAKEN, _REFUSING}:
        return general
    code = found(said, vendor.code)
    if not isinstance(code, int) or isinstance(code, bool):  # a list has no place in a table
        code = None
    if code in vendor.refusals:
        return vendor.refusals[code]
    if status // 100 == _REFUSING:
        return general
    if code == vendor.accepted:
        return general
    # A code that nobody told us of refuses only if the vendor says so: it may mean that the message was taken.
    return _LATER if code is not None and found(said, vendor.succeeded) is False else _SILENT


def _read(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
