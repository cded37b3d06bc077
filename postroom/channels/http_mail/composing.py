"""Reads a finished message into the fields of a vendor's request: the same bytes always make the same request."""

import json
from base64 import b64encode
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from urllib.parse import quote_plus, urlencode

from postroom.channels.email.conversation import Letter
from postroom.channels.http_mail.vendors import Encoding, Vendor
from postroom.errors import Invalid

AGENT = "Postroom"
# What is a field of its own, what describes the parts, and a signature over bytes that the vendor writes anew.
_SPOKEN_FOR = frozenset(
    {"from", "to", "subject", "reply-to", "date", "mime-version", "content-type", "dkim-signature", "return-path"}
    | {"content-transfer-encoding"}
)


def credentials(vendor: Vendor, account: str, secret: str) -> Mapping[str, str]:
    """Return the headers that say who asks, where it is not said in fields."""
    if vendor.login is not None:
        return {}
    return {"Authorization": f"Basic {b64encode(f'{account}:{secret}'.encode()).decode()}"}


def spellings(account: str, secret: str) -> tuple[str, ...]:
    """Return the secret in every form in which a request holds it, the longest first: a vendor may repeat it."""
    login = b64encode(f"{account}:{secret}".encode()).decode()
    forms = {login, secret, quote_plus(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return tuple(sorted(forms - {""}, key=lambda form: (-len(form), form)))


def fields_of(vendor: Vendor, letter: Letter) -> dict[str, object]:
    """Take a message apart.

    Raises:
        Invalid: it holds more than words.
    """
    message = message_from_bytes(letter.message, policy=policy.default)
    name, address = parseaddr(str(message["From"]))
    names = vendor.names
    headers = {key: str(value) for key, value in message.items() if key.lower() not in _SPOKEN_FOR}
    parts = {
        names.sender: address,
        names.sender_name: name,
        names.recipient: letter.recipient,
        names.reply_to: str(message["Reply-To"] or ""),
        names.subject: str(message["Subject"] or ""),
        **{getattr(names, kind): words for kind, words in _words(message).items()},
    }
    if names.return_path:
        parts[names.return_path] = letter.sender
    return {key: value for key, value in parts.items() if value} | {names.headers: headers}


def body_of(vendor: Vendor, fields: Mapping[str, object], login: tuple[str, str]) -> bytes:
    """Write a request's body, with account and secret where they are fields."""
    said = dict(vendor.extra) | dict(fields)
    if vendor.login is not None:
        said |= dict(zip(vendor.login, login, strict=True))
    if vendor.encoding is Encoding.JSON:
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    flat = {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}
    return urlencode(flat).encode()


def _words(message: EmailMessage) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for part in message.walk():
        if part.is_multipart():
            continue
        kind = {"text/plain": "text", "text/html": "html"}.get(part.get_content_type())
        if kind is None or kind in found or part.get_content_disposition() == "attachment":
            raise Invalid("This vendor takes no attachments here.", code="attachments_unsupported")
        found[kind] = str(part.get_content())
    return found
