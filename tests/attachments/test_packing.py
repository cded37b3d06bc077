"""What travels with a page: labels from one statement, and bytes that are read once for all who share them."""

import asyncio
import hashlib
from uuid import UUID

import pytest

from postroom.attachments import packing
from postroom.attachments.packing import Packing
from postroom.channels.base import Enclosure
from postroom.database.engine import Database
from tests.fixtures.database import Tenants
from tests.fixtures.rows import Draft, accepted

BLOB = "INSERT INTO blobs (tenant_id, sha256, content) VALUES (%s, %s, %b) ON CONFLICT DO NOTHING"
ATTACHMENT = """
INSERT INTO notification_attachments
    (notification_id, position, tenant_id, sha256, filename, content_type, content_id, size)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
CHANGED = "UPDATE blobs SET content = 'changed' WHERE tenant_id = %s"


async def carrying(database: Database, tenant_id: UUID, **files: bytes) -> UUID:
    notification_id = await accepted(database, Draft(tenant_id))
    async with database.system_transaction() as connection:
        for position, (name, content) in enumerate(files.items()):
            digest = hashlib.sha256(content).digest()
            await connection.execute(BLOB, (tenant_id, digest, content))
            line = (notification_id, position, tenant_id, digest, f"{name}.txt", "text/plain", None, len(content))
            await connection.execute(ATTACHMENT, line)
    return notification_id


async def changed(database: Database, tenant_id: UUID) -> None:
    async with database.system_transaction() as connection:
        await connection.execute(CHANGED, (tenant_id,))


async def packed(database: Database, tenant_id: UUID, *ids: UUID) -> Packing:
    packing = Packing(database, tenant_id)
    await packing.read_labels(ids)
    return packing


async def test_files_come_in_the_order_they_were_given(database: Database, tenants: Tenants) -> None:
    tenant_id = tenants.alice.id
    first = await carrying(database, tenant_id, terms=b"terms", bill=b"bill")
    none = await carrying(database, tenant_id)
    page = await packed(database, tenant_id, first, none)
    assert await page.enclosures(first) == (
        Enclosure("terms.txt", "text/plain", b"terms"),
        Enclosure("bill.txt", "text/plain", b"bill"),
    )
    assert await page.enclosures(none) == ()


async def test_shared_bytes_are_read_once(database: Database, tenants: Tenants) -> None:
    tenant_id = tenants.alice.id
    ids = [await carrying(database, tenant_id, terms=b"terms") for _ in range(3)]
    page = await packed(database, tenant_id, *ids)
    together = await asyncio.gather(page.enclosures(ids[0]), page.enclosures(ids[1]))
    await changed(database, tenant_id)
    assert {one[0].content for one in (*together, await page.enclosures(ids[2]))} == {b"terms"}


async def test_the_shelf_has_an_end(database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SHELF_BYTES", 10)
    tenant_id = tenants.alice.id
    notification_id = await carrying(database, tenant_id, first=b"123456", second=b"abcdef")
    page = await packed(database, tenant_id, notification_id)
    await page.enclosures(notification_id)
    await changed(database, tenant_id)
    found = {one.filename: one.content for one in await page.enclosures(notification_id)}
    assert found["first.txt"] == b"changed"


async def test_another_tenants_files_are_not_there(database: Database, tenants: Tenants) -> None:
    notification_id = await carrying(database, tenants.alice.id, terms=b"terms")
    page = await packed(database, tenants.decoy.id, notification_id)
    assert await page.enclosures(notification_id) == ()
