"""API keys: how they are made, spelled, checked without the database, and hashed for it."""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "pr_"
SECRET_BYTES = 32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 43  # base 62 digits of 256 bits
_CHECKSUM_LENGTH = 6  # base 62 digits of 32 bits
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}", re.ASCII)
_HINT_LENGTH = len(PREFIX) + 5


class Scope(StrEnum):
    """What a key may do."""

    NOTIFICATIONS_WRITE = "notifications:write"
    NOTIFICATIONS_READ = "notifications:read"
    CONTACTS_WRITE = "contacts:write"
    CONTACTS_READ = "contacts:read"
    PREFERENCES_WRITE = "preferences:write"
    PREFERENCES_READ = "preferences:read"
    INBOX_READ = "inbox:read"
    INBOX_WRITE = "inbox:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    TEMPLATES_READ = "templates:read"
    TEMPLATES_WRITE = "templates:write"
    TEMPLATES_APPROVE = "templates:approve"
    POLICY_READ = "policy:read"
    POLICY_WRITE = "policy:write"
    SUPPRESSIONS_READ = "suppressions:read"
    SUPPRESSIONS_WRITE = "suppressions:write"
    PRIVACY_READ = "privacy:read"
    PRIVACY_WRITE = "privacy:write"
    SCHEDULES_READ = "schedules:read"
    SCHEDULES_WRITE = "schedules:write"
    SEQUENCES_READ = "sequences:read"
    SEQUENCES_WRITE = "sequences:write"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"
    CAMPAIGNS_APPROVE = "campaigns:approve"
    SENDERS_READ = "senders:read"
    SENDERS_WRITE = "senders:write"
    FEEDBACK_READ = "feedback:read"
    FEEDBACK_WRITE = "feedback:write"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment its text is known."""

    text: str
    hint: str
    key_hash: bytes


def new_key(pepper: bytes) -> NewKey:
    """Make a key of 256 random bits. The checksum lets secret scanners tell a key from noise."""
    secret = _base62(int.from_bytes(secrets.token_bytes(SECRET_BYTES)), _SECRET_LENGTH)
    return spelled_key(pepper, f"{PREFIX}{secret}{_checksum(secret)}")


def spelled_key(pepper: bytes, text: str) -> NewKey:
    """Take a key whose text exists already.

    Raises:
        ValueError: the text is no key.
    """
    if not well_formed(text):
        raise ValueError("This is not a Postroom key.")
    return NewKey(text, text[:_HINT_LENGTH] + "...", key_hash(pepper, text))


def well_formed(text: str) -> bool:
    """Tell whether the text could be a key at all; that is public knowledge and needs no constant time."""
    if not _SHAPE.fullmatch(text):
        return False
    secret, checksum = text[len(PREFIX) : -_CHECKSUM_LENGTH], text[-_CHECKSUM_LENGTH:]
    return _checksum(secret) == checksum


def key_hash(pepper: bytes, text: str) -> bytes:
    """Return the keyed hash the database stores. Keys are compared by it alone, so timing tells nothing about them."""
    return hmac.digest(pepper, text.encode(), hashlib.sha256)


def _checksum(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits.rjust(length, _DIGITS[0])
