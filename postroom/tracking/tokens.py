"""The tokens of opens and clicks: they name a delivery and a link, prove themselves, and need no row to be read."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from postroom.tenants.secrets import sealing_keys

URL_LIMIT = 1_400  # letters of a target; above, links come near the 2,048 at which some programs cut them off
_PURPOSE = b"opens and clicks"
_UUID_BYTES = 16
_POSITION_BYTES = 2
_LONGEST = 2_048


class TouchKind(StrEnum):
    """What a token stands for."""

    OPEN = "open"
    CLICK = "click"


@dataclass(frozen=True, slots=True)
class Mail:
    """The message a token stood in."""

    tenant_id: UUID
    delivery_id: UUID


@dataclass(frozen=True, slots=True)
class Target:
    """Where a link leads, and its position among the links of its task; 0 when it is one person's alone."""

    url: str
    position: int = 0


class TokenMaker:
    """Makes tokens and reads them, with the sealing keys of the deployment: the first one makes, all of them read.

    A token is the same however often it is made (AES-SIV, RFC 5297: the 128 bits that prove it are made from what it
    says), under a key of the tenant's own; what it stands for is sealed into it, so that no pixel becomes a link.
    """

    def __init__(self, keys: Mapping[str, bytes], public_url: str) -> None:
        self._keys = keys
        self._making = next(iter(keys))
        self._base = f"{public_url.rstrip('/')}/track"
        self.own = tuple(f"{public_url.rstrip('/')}/{page}/" for page in ("u", "p", "track"))
        self._box = lru_cache(maxsize=1_024)(self._new_box)

    @classmethod
    def parse(cls, keys: str, public_url: str) -> Self:
        """Read the keys as `Seal` does; raises ValueError."""
        return cls(sealing_keys(keys), public_url)

    def pixel(self, mail: Mail) -> str:
        """Return the address of the image whose loading is an open."""
        return f"{self._base}/open/{self._tokens(mail, TouchKind.OPEN)(b'')}.gif"

    def links(self, mail: Mail) -> Callable[[bytes], str]:
        """Return what makes the links of one message to targets, as `spelled` spells them."""
        token, base = self._tokens(mail, TouchKind.CLICK), f"{self._base}/click/"
        return lambda target: base + token(target)

    def opened(self, token: str) -> Mail | None:
        """Return the message a pixel stood in; None when it was not made here, or with a key that is gone."""
        read = self._read(token, TouchKind.OPEN)
        return read and read[0]

    def clicked(self, token: str) -> tuple[Mail, Target] | None:
        """Return the message a link stood in, and where it leads; None as above."""
        read = self._read(token, TouchKind.CLICK)
        if read is None:
            return None
        mail, rest = read
        return mail, Target(rest[_POSITION_BYTES:].decode(), int.from_bytes(rest[:_POSITION_BYTES]))

    def _tokens(self, mail: Mail, kind: TouchKind) -> Callable[[bytes], str]:
        seal, about = self._box(self._making, mail.tenant_id).encrypt, [kind.encode()]
        tenant, delivery, text = mail.tenant_id.bytes, mail.delivery_id.bytes, base64.urlsafe_b64encode
        return lambda target: text(tenant + seal(delivery + target, about)).decode().rstrip("=")

    def _read(self, token: str, kind: TouchKind) -> tuple[Mail, bytes] | None:
        if len(token) > _LONGEST:
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            tenant_id = UUID(bytes=raw[:_UUID_BYTES])
        except (binascii.Error, ValueError):
            return None
        for key_id in self._keys:
            try:
                opened = self._box(key_id, tenant_id).decrypt(raw[_UUID_BYTES:], [kind.encode()])
            except (InvalidTag, ValueError):  # ValueError: too short to be sealed
                continue
            return Mail(tenant_id, UUID(bytes=opened[:_UUID_BYTES])), opened[_UUID_BYTES:]
        return None

    def _new_box(self, key_id: str, tenant_id: UUID) -> AESSIV:
        return AESSIV(hmac.digest(self._keys[key_id], _PURPOSE + tenant_id.bytes, hashlib.sha256))


def spelled(target: Target) -> bytes:
    """Spell a target for a token."""
    return target.position.to_bytes(_POSITION_BYTES) + target.url.encode()
