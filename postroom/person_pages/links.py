"""The links in a mail that speak for its recipient: sealed, so that they name nobody, and without an end."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from postroom.contracts.vocabulary import ChannelKind
from postroom.tenants.secrets import sealing_keys

_PURPOSE = b"links of people"
_LONGEST = 1_024  # characters of a token; the longest names make some 830
_TENANT_BYTES = 16
_GAP = "\0"  # in no name
_MESSAGE = 0x80  # beside the length of the address: the message stands behind it
_MESSAGE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a link speaks for: a person, or an address alone; and the kind of message it stood in.

    The link in a message has the keyed hash of the address it went to; one that the tenant asked for has none. That in
    a mail of a task names the delivery as well: the task's report says who left by it.
    """

    tenant_id: UUID
    user_id: str | None = None
    channel: ChannelKind = ChannelKind.EMAIL
    address_hash: bytes | None = None
    notification_type: str | None = None
    delivery_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Two links of one message."""

    unsubscribe_url: str
    preferences_url: str

    def named(self) -> dict[str, str]:
        """Return them by the names a template has for them."""
        return {"unsubscribe_url": self.unsubscribe_url, "preferences_url": self.preferences_url}


class LinkMaker:
    """Makes links and reads them, with the sealing keys of the deployment: the first one makes, all of them read.

    A link is the same however often it is made (AES-SIV, RFC 5297: the 128 bits that prove it are made from what it
    says), and each tenant's have a key of their own.
    """

    def __init__(self, keys: Mapping[str, bytes], public_url: str) -> None:
        self._keys = keys
        self._public_url = public_url.rstrip("/")
        self._making = next(iter(keys))
        self._box = lru_cache(maxsize=1_024)(self._new_box)

    @classmethod
    def parse(cls, keys: str, public_url: str) -> Self:
        """Read the keys as `Seal` does; raises ValueError."""
        return cls(sealing_keys(keys), public_url)

    def links(self, bearer: Bearer) -> Links:
        """Make the links of one message."""
        token = self.token(bearer)
        return Links(f"{self._public_url}/u/{token}", f"{self._public_url}/p/{token}")

    def page_of(self, tenant_id: UUID, user_id: str) -> str:
        """Make the link of a person's page, for the tenant to show them."""
        return self.links(Bearer(tenant_id, user_id)).preferences_url

    def token(self, bearer: Bearer) -> str:
        """Seal whom a link speaks for."""
        names = _GAP.join([bearer.user_id or "", bearer.notification_type or "", bearer.channel]).encode()
        address = bearer.address_hash or b""
        message = bearer.delivery_id.bytes if bearer.delivery_id else b""
        head = bytes([len(address) | (_MESSAGE if message else 0)])
        sealed = self._box(self._making, bearer.tenant_id).encrypt(head + address + message + names, None)
        key_id = self._making.encode()
        raw = bytes([len(key_id)]) + key_id + bearer.tenant_id.bytes + sealed
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def read(self, token: str) -> Bearer | None:
        """Return whom a link speaks for; None when it was not made here, or with a key that is gone."""
        if len(token) > _LONGEST:
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            start = 1 + raw[0]
            key_id, tenant_id = raw[1:start].decode(), UUID(bytes=raw[start : start + _TENANT_BYTES])
            if key_id not in self._keys:
                return None
            return _bearer(tenant_id, self._box(key_id, tenant_id).decrypt(raw[start + _TENANT_BYTES :], None))
        except (binascii.Error, ValueError, IndexError, InvalidTag):
            return None

    def _new_box(self, key_id: str, tenant_id: UUID) -> AESSIV:
        return AESSIV(hmac.digest(self._keys[key_id], _PURPOSE + tenant_id.bytes, hashlib.sha256))


def _bearer(tenant_id: UUID, opened: bytes) -> Bearer:
    end = 1 + (opened[0] & ~_MESSAGE)
    start = end + (_MESSAGE_BYTES if opened[0] & _MESSAGE else 0)
    user_id, notification_type, channel = opened[start:].decode().split(_GAP)
    return Bearer(
        tenant_id,
        user_id or None,
        ChannelKind(channel),
        opened[1:end] or None,
        notification_type or None,
        UUID(bytes=opened[end:start]) if start > end else None,
    )
