"""Loads what travels with the messages of a page, right before they leave."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from postroom.channels.base import Enclosure
from postroom.database.engine import Connection, Database

SHELF_BYTES = 32_000_000

LABELS = """
SELECT notification_id, filename, content_type, content_id, sha256 FROM notification_attachments
WHERE notification_id = ANY(%(ids)s) ORDER BY notification_id, position
"""

CONTENT = "SELECT content FROM blobs WHERE tenant_id = %(tenant_id)s AND sha256 = %(sha256)s"


class Label(NamedTuple):
    """What one notification calls a file, and which bytes these are."""

    filename: str
    content_type: str
    content_id: str | None
    sha256: bytes


class Packing:
    """The files of one page: all labels from one statement, bytes read once for everybody who shares them."""

    def __init__(self, database: Database, tenant_id: UUID) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._labels: dict[UUID, list[Label]] = defaultdict(list)
        self._shelf: OrderedDict[bytes, bytes] = OrderedDict()
        self._room = SHELF_BYTES
        self._reading: dict[bytes, asyncio.Task[bytes]] = {}

    async def read_labels(self, notification_ids: Sequence[UUID]) -> None:
        """Learn which files these notifications carry."""
        async with self._database.tenant_transaction(self._tenant_id) as connection:
            rows = await connection.execute(LABELS, {"ids": list(notification_ids)})
            async for row in rows:
                self._labels[row.pop("notification_id")].append(Label(**row))

    async def enclosures(self, notification_id: UUID) -> tuple[Enclosure, ...]:
        """Attachments and inline images of a notification, in the order they were given.

        Raises what the database raises when the bytes have to be read.
        """
        return tuple(
            [
                Enclosure(label.filename, label.content_type, await self._content(label.sha256), label.content_id)
                for label in self._labels[notification_id]
            ]
        )

    async def _content(self, sha256: bytes) -> bytes:
        if sha256 in self._shelf:
            self._shelf.move_to_end(sha256)
            return self._shelf[sha256]
        reading = self._reading.get(sha256)
        if reading is None:
            reading = self._reading[sha256] = asyncio.create_task(self._read(sha256))
            reading.add_done_callback(lambda _: self._reading.pop(sha256, None))
        return await asyncio.shield(reading)

    async def _read(self, sha256: bytes) -> bytes:
        async with self._database.tenant_transaction(self._tenant_id) as connection:
            content = await _content_of(connection, self._tenant_id, sha256)
        self._keep(sha256, content)
        return content

    def _keep(self, sha256: bytes, content: bytes) -> None:
        self._shelf[sha256] = content
        self._room -= len(content)
        while self._room < 0:
            _, gone = self._shelf.popitem(last=False)
            self._room += len(gone)


async def _content_of(connection: Connection, tenant_id: UUID, sha256: bytes) -> bytes:
    row = await (await connection.execute(CONTENT, {"tenant_id": tenant_id, "sha256": sha256})).fetchone()
    if row is None:
        raise LookupError("An attachment's bytes are not in the record.")
    return bytes(row["content"])
