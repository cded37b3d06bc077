"""Exports and erasures as the API asks for them, and what an export told; a worker does the work."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, NotFound
from postroom.identity import new_id, person_hash
from postroom.notifications.replay import earlier_answer, named_before
from postroom.notifications.request import IdempotencyKey
from postroom.privacy.links import ResultLinks
from postroom.privacy.walking import Kind, count, is_known
from postroom.tenants.gate import Identity
from postroom.tenants.secrets import Seal, Sealed

# One open job of a kind for a person: whoever asks again meanwhile gets the same.
BEGIN = """
INSERT INTO person_jobs (job_id, tenant_id, kind, user_id, person_hash)
VALUES (%(job_id)s, %(tenant_id)s, %(kind)s, %(user_id)s, %(person_hash)s)
ON CONFLICT (tenant_id, kind, user_id) WHERE state = 'open' DO NOTHING
"""
JOB = """
INSERT INTO jobs (id, tenant_id, api_key_id, kind, total)
VALUES (%(job_id)s, %(tenant_id)s, %(key_id)s, %(kind)s, %(total)s)
"""
UNDER_WAY = """
SELECT job_id FROM person_jobs
WHERE tenant_id = %(tenant_id)s AND kind = %(kind)s AND user_id = %(user_id)s AND state = 'open'
"""
NOTE = """
INSERT INTO person_events (tenant_id, job_id, kind, api_key_id, person_hash)
SELECT tenant_id, job_id, %(event)s, %(key_id)s, person_hash FROM person_jobs WHERE job_id = %(job_id)s
"""
EVENTS = "SELECT at, kind, api_key_id FROM person_events WHERE job_id = %(job_id)s ORDER BY id LIMIT 1000"
STANDING = """
SELECT kind, state, chunks, expires_at, coalesce(expires_at > now(), false) AS kept FROM person_jobs
WHERE job_id = %(job_id)s
"""
PIECE = "SELECT key_id, content FROM job_results WHERE job_id = %(job_id)s AND position = %(position)s"


@dataclass(frozen=True, slots=True)
class Asked:
    """The job for a person; `replayed` when an earlier request under the same key had asked for it."""

    job_id: UUID
    replayed: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to what is known of a person; `api_key_id` is None for the house itself, or a signed link."""

    at: datetime
    kind: str
    api_key_id: UUID | None


@dataclass(frozen=True, slots=True)
class Result:
    """What can be fetched, until when, and the signed name under which it can be without a key."""

    tenant_id: UUID
    job_id: UUID
    pieces: int
    expires_at: datetime
    name: str


class Privacy:
    """The people of one deployment's tenants."""

    def __init__(self, database: Database, pepper: bytes, seal: Seal) -> None:
        self._database = database
        self._pepper = pepper
        self._seal = seal
        self._links = ResultLinks(pepper)

    async def ask(self, identity: Identity, kind: Kind, user_id: str, key: IdempotencyKey | None) -> Asked:
        """Write down what is to be done for a person, or find the job that does it already.

        Raises:
            NotFound: nothing is known of such a person.
            Invalid, Conflict: as `named_before`.
        """
        asked = {
            "job_id": new_id(),
            "tenant_id": identity.tenant_id,
            "key_id": identity.key_id,
            "kind": str(kind),
            "user_id": user_id,
            "person_hash": person_hash(self._pepper, identity.tenant_id, user_id),
            "event": f"{kind}_requested",
        }
        if earlier := await earlier_answer(self._database, identity.tenant_id, key):
            return Asked(earlier.id, replayed=True)
        async with self._database.tenant_transaction(identity.tenant_id) as connection:
            job_id = await _begin(connection, asked)
            earlier = await named_before(connection, identity.tenant_id, key, {"job_id": job_id})
            if earlier is not None and earlier.id != job_id:  # asked twice at once, and the first is done already
                raise Conflict("The first request under this key is not finished.", code="idempotency_in_progress")
        return Asked(job_id, replayed=earlier is not None)

    async def result(self, tenant_id: UUID, job_id: UUID) -> Result | None:
        """Return what an export told, while it is kept; None when there is nothing to fetch."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            row = await _standing(connection, job_id)
        if row is None or not row["kept"]:
            return None
        return Result(tenant_id, job_id, row["chunks"], row["expires_at"], self._links.write(tenant_id, job_id))

    async def fetch(self, tenant_id: UUID, job_id: UUID, key_id: UUID | None) -> Result:
        """Return what an export told, and note who fetched it.

        Raises:
            NotFound: there is no such export, or it is kept no longer.
            Conflict: it is not finished (`not_finished`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            row = await _standing(connection, job_id)
            if row is None or row["kind"] != Kind.EXPORT:
                raise NotFound("There is no such job.")
            if row["state"] == "open":
                raise Conflict("The export is not finished.", code="not_finished")
            if not row["kept"]:
                raise NotFound("What this job exported is kept no longer.", code="result_gone")
            await connection.execute(NOTE, {"job_id": job_id, "key_id": key_id, "event": "export_fetched"})
        return Result(tenant_id, job_id, row["chunks"], row["expires_at"], self._links.write(tenant_id, job_id))

    async def fetch_by_link(self, name: str) -> Result:
        """Return what a signed link leads to; raises as `fetch`."""
        tenant_id, job_id = self._links.read(name)
        return await self.fetch(tenant_id, job_id, None)

    async def history(self, tenant_id: UUID, job_id: UUID) -> Sequence[Step]:
        """Return who asked for, made, fetched and removed what a job is about; raises NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            rows = await (await connection.execute(EVENTS, {"job_id": job_id})).fetchall()
        if not rows:
            raise NotFound("There is no such job.")
        return [Step(**row) for row in rows]

    async def text(self, result: Result) -> AsyncIterator[bytes]:
        """Yield the text of a result piece by piece; one that is thrown away meanwhile breaks off."""
        for position in range(result.pieces):
            async with self._database.tenant_transaction(result.tenant_id) as connection:
                found = await connection.execute(PIECE, {"job_id": result.job_id, "position": position})
                row = await found.fetchone()
            if row is None:
                raise NotFound("What this job exported is kept no longer.", code="result_gone")
            sealed = Sealed(row["key_id"], row["content"])
            yield self._seal.open(sealed, tenant_id=result.tenant_id, row_id=result.job_id).encode()


async def _begin(connection: Connection, asked: Mapping[str, Any]) -> UUID:
    """Write a job, unless the same is under way already; returns its id."""
    if (await connection.execute(BEGIN, asked)).rowcount == 0:
        row = await (await connection.execute(UNDER_WAY, asked)).fetchone()
        if row is None:
            raise Conflict("The same has just been finished; ask again.", code="just_finished")
        return UUID(str(row["job_id"]))
    tenant_id, user_id = asked["tenant_id"], asked["user_id"]
    if not await is_known(connection, tenant_id, user_id):
        raise NotFound("Nothing is known of such a person.")
    await connection.execute(JOB, {**asked, "total": 1 + await count(connection, tenant_id, user_id)})
    await connection.execute(NOTE, asked)
    return UUID(str(asked["job_id"]))


async def _standing(connection: Connection, job_id: UUID) -> dict[str, Any] | None:
    return await (await connection.execute(STANDING, {"job_id": job_id})).fetchone()
