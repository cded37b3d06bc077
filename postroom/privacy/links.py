"""Links to what was exported, for whoever has no key: signed, and good for as long as it is kept."""

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

from postroom.errors import NotFound

_MAC_BYTES = 32
_ID_BYTES = 16


class ResultLinks:
    """Signs and reads the names that links bear; the result itself says until when it can be had."""

    def __init__(self, pepper: bytes) -> None:
        self._key = hmac.digest(pepper, b"export", hashlib.sha256)

    def write(self, tenant_id: UUID, job_id: UUID) -> str:
        """Name the result of a job so that only this house can have done it."""
        raw = tenant_id.bytes + job_id.bytes
        return base64.urlsafe_b64encode(raw + self._mac(raw)).decode().rstrip("=")

    def read(self, text: str) -> tuple[UUID, UUID]:
        """Return the tenant and the job that a link names.

        Raises:
            NotFound: it was not made here.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        named, mac = raw[: 2 * _ID_BYTES], raw[2 * _ID_BYTES :]
        if len(mac) != _MAC_BYTES or not hmac.compare_digest(mac, self._mac(named)):
            raise NotFound("There is nothing behind this link.")
        return UUID(bytes=named[:_ID_BYTES]), UUID(bytes=named[_ID_BYTES:])

    def _mac(self, raw: bytes) -> bytes:
        return hmac.digest(self._key, raw, hashlib.sha256)
