"""Cursors: opaque, signed, bound to the tenant and the question they continue."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from postroom.errors import Invalid

LIMIT = 200
DEFAULT_LIMIT = 50

_MAC_BYTES = 16

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows, newest first, and the id after which the next ones come; None when these were the last."""

    items: Sequence[Item]
    next_after: UUID | None


class Cursors:
    """Signs and reads cursors of one deployment."""

    def __init__(self, pepper: bytes) -> None:
        self._key = hmac.digest(pepper, b"cursor", hashlib.sha256)

    def write(self, tenant_id: UUID, question: str, after: UUID | None) -> str | None:
        """Spell where a page ended; `question` is the list and its filters. None behind the last page."""
        return self._write(tenant_id, question, after.bytes) if after else None

    def read(self, tenant_id: UUID, question: str, text: str | None) -> UUID | None:
        """Read a cursor back; None, where nobody has one yet, is the beginning.

        Raises:
            Invalid: it was not made here for this tenant and this question.
        """
        return None if text is None else UUID(bytes=self._read(tenant_id, question, text))

    def write_name(self, tenant_id: UUID, question: str, after: str | None) -> str | None:
        """Spell where a page of things ended that are known by their names; None behind the last page."""
        return self._write(tenant_id, question, after.encode()) if after else None

    def read_name(self, tenant_id: UUID, question: str, text: str | None) -> str:
        """Read such a cursor back, before all names where nobody has one yet; raises what `read` does."""
        return "" if text is None else self._read(tenant_id, question, text).decode()

    def _write(self, tenant_id: UUID, question: str, after: bytes) -> str:
        return base64.urlsafe_b64encode(after + self._mac(tenant_id, question, after)).decode().rstrip("=")

    def _read(self, tenant_id: UUID, question: str, text: str) -> bytes:
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        after, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(tenant_id, question, after)):
            raise Invalid("This cursor belongs to another list, or to none.", code="invalid_cursor")
        return after

    def _mac(self, tenant_id: UUID, question: str, after: bytes) -> bytes:
        return hmac.digest(self._key, tenant_id.bytes + after + question.encode(), hashlib.sha256)[:_MAC_BYTES]
