"""Envelope senders that name their delivery, so that a bounce says itself which message it is about (VERP)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Self
from uuid import UUID

from postroom.tenants.secrets import sealing_keys

PREFIX = "b+"
_PURPOSE = b"return paths"
_ID_BYTES = 16
_PROOF_BYTES = 16  # the whole local part has 54 of the 64 letters there may be (RFC 5321 section 4.5.3.1.1)


class ForgedError(Exception):
    """An address of the bounce domain that was not made here."""


class ReturnPaths:
    """Makes and reads return paths below one domain; the first key makes, all of them read.

    Base 32, because servers on the way may change the case of what they did not make.
    """

    def __init__(self, keys: Mapping[str, bytes], domain: str) -> None:
        self.domain = domain.lower()
        self._keys = [hmac.digest(key, _PURPOSE, hashlib.sha256) for key in keys.values()]

    @classmethod
    def parse(cls, keys: str, domain: str) -> Self:
        """Read the keys as `Seal` does; raises ValueError."""
        return cls(sealing_keys(keys), domain)

    def address(self, delivery_id: UUID) -> str:
        """Return the envelope sender of a delivery, the same on every retry."""
        raw = delivery_id.bytes + _proof(self._keys[0], delivery_id.bytes)
        return f"{PREFIX}{base64.b32encode(raw).decode().rstrip('=').lower()}@{self.domain}"

    def read(self, address: str) -> UUID | None:
        """Return the delivery that an address names; None for an address that is no return path of ours.

        Raises:
            ForgedError: it poses as one.
        """
        local, _, domain = address.strip().strip("<>").lower().rpartition("@")
        if domain != self.domain or not local.startswith(PREFIX):
            return None
        token = local.removeprefix(PREFIX)
        try:
            raw = base64.b32decode(token + "=" * (-len(token) % 8), casefold=True)
        except (binascii.Error, ValueError):
            raise ForgedError from None
        named, proof = raw[:_ID_BYTES], raw[_ID_BYTES:]
        if not any(hmac.compare_digest(_proof(key, named), proof) for key in self._keys):
            raise ForgedError
        return UUID(bytes=named)


def _proof(key: bytes, named: bytes) -> bytes:
    return hmac.digest(key, named, hashlib.sha256)[:_PROOF_BYTES]
