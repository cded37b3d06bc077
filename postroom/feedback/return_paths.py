"""Envelope senders that name their delivery, so that a bounce says itself which message it is about (VERP)."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Self
from uuid import UUID

from postroom.tenants.secrets import sealing_keys

PREFIX = "b+"
_PURPOSE = b"return paths"
_ID_BYTES = 16
_PROOF_BYTES = 16
LETTERS = 54  # of a local part made here; there may be 64, and 254 of the whole address (RFC 5321 section 4.5.3.1)
_LOCAL = re.compile(r"b\+[a-z2-7]{52}")


class ForgedError(Exception):
    """An address of the bounce domain that was not made here."""


class ReturnPaths:
    """Makes and reads return paths; the first key makes, all of them read.

    What an address says proves itself, whoever's domain it is at: a tenant may have bounces return below its own. Only
    the deployment's, where there is one, is known to hold nothing else.
    Base 32, because servers on the way may change the case of what they did not make.
    """

    def __init__(self, keys: Mapping[str, bytes], domain: str | None = None) -> None:
        self.domain = domain and domain.lower()
        self._keys = [hmac.digest(key, _PURPOSE, hashlib.sha256) for key in keys.values()]

    @classmethod
    def parse(cls, keys: str, domain: str | None) -> Self:
        """Read the keys as `Seal` does; raises ValueError."""
        return cls(sealing_keys(keys), domain)

    def address(self, delivery_id: UUID, domain: str) -> str:
        """Return the envelope sender of a delivery whose bounces return to a domain, the same on every retry."""
        raw = delivery_id.bytes + _proof(self._keys[0], delivery_id.bytes)
        return f"{PREFIX}{base64.b32encode(raw).decode().rstrip('=').lower()}@{domain}"

    def read(self, address: str) -> UUID | None:
        """Return the delivery that an address names; None for an address that is no return path of ours.

        Raises:
            ForgedError: it poses as one.
        """
        local, _, domain = address.strip().strip("<>").lower().rpartition("@")
        if not (_LOCAL.fullmatch(local) or (domain == self.domain and local.startswith(PREFIX))):
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
