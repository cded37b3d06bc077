"""The vendors of mail over HTTP, a table: where they are, what they call things, and what their refusals mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from postroom.channels.base import Verdict

Meaning = tuple[Verdict, str]
Path = tuple[str, ...]


class Encoding(StrEnum):
    """How the fields of a request are written."""

    FORM = "application/x-www-form-urlencoded"
    JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Names:
    """What a vendor calls the parts of a message."""

    sender: str = "from"
    sender_name: str = "from_name"
    recipient: str = "to"
    reply_to: str = "reply_to"
    subject: str = "subject"
    html: str = "html"
    text: str = "text"
    headers: str = "headers"
    return_path: str | None = None  # None where bounces return to the vendor, whatever is asked


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor's protocol.

    `url` is where messages are posted unless a service names another place. `login` are the fields of account and
    secret; without them both go as HTTP basic credentials. `code` is where an answer has a code of its own, `accepted`
    the one that means yes, and `succeeded` where it says whether it was one; without a code the HTTP status says all.
    A vendor that honours `idempotency`, a header, knows a second copy for what it is.
    """

    url: str | None
    encoding: Encoding
    names: Names
    login: tuple[str, str] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    idempotency: str | None = None
    message_id: Path = ()
    code: Path = ()
    accepted: int | None = None
    succeeded: Path = ()
    refusals: Mapping[int, Meaning] = field(default_factory=dict)


_AUTH = (Verdict.UNAVAILABLE, "provider_auth_failed")
_NO_SENDER = (Verdict.REJECTED, "sender_refused")
_NO_RECIPIENT = (Verdict.REJECTED, "mailbox_unknown")
_CONTENT = (Verdict.REJECTED, "policy_refusal")
_LATER = (Verdict.DEFERRED, "temporary_refusal")
_NOBODY_KNOWS = (Verdict.UNKNOWN, "outcome_unknown")

# https://aurorasendcloud.com/docs/API/index and https://www.sendcloud.net/doc/en/email_v2: one protocol, two houses.
# Their `sendRequestId` is no name for a message: it is forgotten after an hour, and whether a request that was refused
# for now has used it up is not said.
_CLOUD_REFUSALS = {
    40005: _AUTH,
    40301: _AUTH,
    40801: _NO_SENDER,
    40802: _NO_SENDER,
    40805: _NO_RECIPIENT,
    40806: _NO_RECIPIENT,
    40808: _CONTENT,
    40809: _CONTENT,
    40869: _CONTENT,
    40870: _CONTENT,
    40871: _CONTENT,
    40901: _LATER,
    40902: _NOBODY_KNOWS,
    40904: (Verdict.UNAVAILABLE, "provider_limit"),
    40908: _CONTENT,
    501: _NOBODY_KNOWS,
}
_CLOUD_NAMES = Names(sender_name="fromName", reply_to="replyTo", text="plain")


def _cloud(url: str) -> Vendor:
    return Vendor(
        url,
        Encoding.FORM,
        _CLOUD_NAMES,
        login=("apiUser", "apiKey"),
        extra={"respEmailId": "true"},
        message_id=("info", "emailIdList"),
        code=("statusCode",),
        accepted=200,
        succeeded=("result",),
        refusals=_CLOUD_REFUSALS,
    )


VENDORS: Mapping[str, Vendor] = {
    "aurora": _cloud("https://api2.sendcloud.net/api/mail/send"),
    "sendcloud": _cloud("https://api.sendcloud.net/apiv2/mail/send"),
    "generic": Vendor(
        None, Encoding.JSON, Names(return_path="return_path"), idempotency="Idempotency-Key", message_id=("id",)
    ),
}
