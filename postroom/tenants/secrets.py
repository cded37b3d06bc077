"""Secrets at rest: sealed with AES-256-GCM under a named key and bound to the row they belong to."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32


class SealBroken(Exception):
    """The key is gone, or the sealed bytes were changed or moved to another row."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored: nonce and ciphertext, and the id of the key that opens it."""

    key_id: str
    content: bytes


class Seal:
    """Seals with the first key, opens with whichever key the secret names, so that keys can be rotated."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("At least one sealing key is needed.")
        if wrong := [key_id for key_id, key in keys.items() if len(key) != KEY_BYTES]:
            raise ValueError(f"Sealing key {wrong[0]!r} is not {KEY_BYTES} bytes long.")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._sealing = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `id:base64 id:base64 ...`, the first one seals."""
        return cls(sealing_keys(text))

    def seal(self, secret: str, *, tenant_id: UUID, row_id: UUID) -> Sealed:
        """Encrypt a secret for one row of one tenant."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keys[self._sealing].encrypt(nonce, secret.encode(), _place(tenant_id, row_id))
        return Sealed(self._sealing, nonce + sealed)

    def open(self, sealed: Sealed, *, tenant_id: UUID, row_id: UUID) -> str:
        """Decrypt a secret where it belongs.

        Raises:
            SealBroken: the key is unknown, or the bytes do not belong to this row.
        """
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise SealBroken(f"There is no sealing key {sealed.key_id!r}.")
        nonce, content = sealed.content[:NONCE_BYTES], sealed.content[NONCE_BYTES:]
        try:
            return key.decrypt(nonce, content, _place(tenant_id, row_id)).decode()
        except InvalidTag as error:
            raise SealBroken("The secret was changed, or belongs to another row.") from error


def sealing_keys(text: str) -> dict[str, bytes]:
    """Read `id:base64 id:base64 ...`; raises ValueError."""
    try:
        pairs = (entry.split(":", 1) for entry in text.split())
        return {key_id: base64.b64decode(key, validate=True) for key_id, key in pairs}
    except (ValueError, binascii.Error) as error:
        raise ValueError("Sealing keys are written as id:base64 (32 bytes), separated by blanks.") from error


def _place(tenant_id: UUID, row_id: UUID) -> bytes:
    return tenant_id.bytes + row_id.bytes
