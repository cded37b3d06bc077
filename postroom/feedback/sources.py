"""The providers a tenant listens to: where they call, what proves their calls, and how much of them was understood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.database.engine import Database
from postroom.database.grouping import GroupCommit
from postroom.errors import Invalid, NotFound
from postroom.feedback.intake import Intake
from postroom.feedback.vendors.base import Call, Told, Vendor, refused
from postroom.feedback.vendors.table import VendorName
from postroom.identity import new_id
from postroom.notifications.replay import named_before
from postroom.notifications.request import IdempotencyKey
from postroom.rates import Rate, RateExceeded
from postroom.tenants.secrets import Seal, Sealed

MOST = 20  # of one tenant
CALLS_PER_MINUTE = 60_000  # of one source, each of so many octets; a provider that is told to wait calls again
CALL_OCTETS = 10_000
LOOKED_UP = 500  # by one statement: whoever calls without being listened to costs no more than a place in it

COLUMNS = "id, vendor, name, known, ignored, heard_at, created_at"
COUNT = "SELECT count(*) AS count FROM feedback_sources"
ADD = f"""
INSERT INTO feedback_sources (id, tenant_id, vendor, name, secret, secret_key_id)
VALUES (%(id)s, %(tenant_id)s, %(vendor)s, %(name)s, %(secret)s, %(key_id)s) RETURNING {COLUMNS}
"""
ONE = f"SELECT {COLUMNS} FROM feedback_sources WHERE id = %s"
LIST = f"SELECT {COLUMNS} FROM feedback_sources ORDER BY id DESC"
REMOVE = "DELETE FROM feedback_sources WHERE id = %s"
CALLED = "SELECT id, tenant_id, vendor, secret, secret_key_id FROM feedback_sources WHERE id = ANY(%s)"
HEARD = """
WITH said AS (
    SELECT id, sum(known) AS known, sum(ignored) AS ignored
    FROM unnest(%(ids)s::uuid[], %(known)s::bigint[], %(ignored)s::bigint[]) AS said (id, known, ignored) GROUP BY id
), held AS (
    SELECT f.id FROM feedback_sources f JOIN said USING (id) ORDER BY f.id FOR NO KEY UPDATE OF f
)
UPDATE feedback_sources f SET known = f.known + s.known, ignored = f.ignored + s.ignored, heard_at = now()
FROM held JOIN said s USING (id) WHERE f.id = held.id
"""

Counts = tuple[UUID, int, int]  # of a source: how many reports were about mail of its tenant, and how many not

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewSource:
    """What a tenant enters."""

    vendor: VendorName
    name: str
    secret: str


@dataclass(frozen=True, slots=True)
class Source:
    """One provider, without its secret: how many of its reports were about the tenant's mail, and how many not."""

    id: UUID
    vendor: str
    name: str
    known: int
    ignored: int
    heard_at: datetime | None
    created_at: datetime


class Sources:
    """The sources of all tenants, each seen by its own; calls that come together share their statements."""

    def __init__(self, database: Database, seal: Seal, vendors: Mapping[VendorName, Vendor], intake: Intake) -> None:
        self._database = database
        self._seal = seal
        self._vendors = vendors
        self._intake = intake
        self._rate = Rate(CALLS_PER_MINUTE)
        self._callers = GroupCommit(self._look_up, LOOKED_UP)
        self._counts = GroupCommit(self._count, LOOKED_UP)

    async def add(self, tenant_id: UUID, asked: NewSource, key: IdempotencyKey | None) -> tuple[Source, bool]:
        """Begin to listen; returns the source, and whether an earlier request under the key had made it.

        Raises:
            Invalid: the secret can prove nothing (`invalid_secret`), or the tenant has enough (`too_many_sources`).
        """
        self._vendors[asked.vendor].check_secret(asked.secret)
        source_id = new_id()
        sealed = self._seal.seal(asked.secret, tenant_id=tenant_id, row_id=source_id)
        row: dict[str, Any] = {
            "id": source_id,
            "tenant_id": tenant_id,
            "vendor": str(asked.vendor),
            "name": asked.name,
            "secret": sealed.content,
            "key_id": sealed.key_id,
        }
        async with self._database.tenant_transaction(tenant_id) as connection:
            if earlier := await named_before(connection, tenant_id, key, {"notification_id": source_id}):
                found = await (await connection.execute(ONE, (earlier.id,))).fetchone()
                if found is None:
                    raise _unknown()
                return Source(**found), True
            count = await (await connection.execute(COUNT)).fetchone()
            if count and count["count"] >= MOST:
                raise Invalid(f"A tenant has at most {MOST} feedback sources.", code="too_many_sources")
            [made] = await (await connection.execute(ADD, row)).fetchall()
        return Source(**made), False

    async def all(self, tenant_id: UUID) -> Sequence[Source]:
        """Return the tenant's sources, newest first."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return [Source(**row) async for row in await connection.execute(LIST)]

    async def remove(self, tenant_id: UUID, source_id: UUID) -> None:
        """Listen no more; raises NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            if (await connection.execute(REMOVE, (source_id,))).rowcount == 0:
                raise _unknown()

    async def hear(self, source_id: UUID, call: Call) -> Told:
        """Take in what a provider says.

        Raises:
            Unauthenticated: nobody is listened to there, or the call does not prove itself.
            RateExceeded: the source calls more often than it may.
            Invalid: it is not what the provider sends.
        """
        row = await self._callers.ask(source_id)
        if row is None:
            raise refused()
        standing = self._rate.hit(source_id, 1 + len(call.body) // CALL_OCTETS)
        if not standing.allowed:
            raise RateExceeded("This source calls too often.", "source_rate_limited", standing)
        tenant_id: UUID = row["tenant_id"]
        secret = self._seal.open(Sealed(row["secret_key_id"], row["secret"]), tenant_id=tenant_id, row_id=source_id)
        told = await self._vendors[VendorName(row["vendor"])].told(call, secret)
        known = await self._intake.take(told.reports, tenant_id)
        await self._counts.ask((source_id, known, told.ignored + len(told.reports) - known))
        return told

    async def _look_up(self, ids: Sequence[UUID]) -> Sequence[Row | None]:
        async with self._database.system_transaction() as connection:
            found = {row["id"]: row async for row in await connection.execute(CALLED, (list(ids),))}
        return [found.get(source_id) for source_id in ids]

    async def _count(self, counts: Sequence[Counts]) -> Sequence[None]:
        ids, known, ignored = zip(*counts, strict=True)
        columns = {"ids": list(ids), "known": list(known), "ignored": list(ignored)}
        async with self._database.system_transaction() as connection:
            await connection.execute(HEARD, columns)
        return [None] * len(counts)


def _unknown() -> NotFound:
    return NotFound("There is no such feedback source.")
