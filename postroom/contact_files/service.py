"""Files of contacts as the API asks for them: exports, cancelling, and what a file came to."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.audiences.rules import compile_rule
from postroom.audiences.saved import expanded
from postroom.contact_files.models import FileKind, FileState
from postroom.contact_files.receiving import Taken
from postroom.contact_files.rows import Problem
from postroom.database.engine import Database
from postroom.errors import Conflict, NotFound
from postroom.identity import new_id
from postroom.notifications.replay import earlier_answer, named_before
from postroom.notifications.request import IdempotencyKey
from postroom.paging import Page
from postroom.tenants.gate import Identity
from postroom.tenants.secrets import Seal, Sealed
from postroom.timing import Timing

COUNT = "SELECT count(*) AS total FROM contacts k WHERE {selected}"
JOB = """
INSERT INTO jobs (id, tenant_id, api_key_id, kind, total)
VALUES (%(job_id)s, %(tenant_id)s, %(api_key_id)s, 'contacts_export', %(total)s)
"""
BEGIN = """
INSERT INTO contact_files (job_id, tenant_id, api_key_id, kind, state, terms, counts, next_poke_at)
VALUES (%(job_id)s, %(tenant_id)s, %(api_key_id)s, 'contacts_export', 'open', %(terms)s, '{"exported": 0}', now())
"""
NOTE_WISH = "UPDATE jobs SET cancel_requested_at = now() WHERE id = %(job_id)s"
# A piece that is being written has this row, or finds it cancelled: nothing is written after this.
CANCEL = """
UPDATE contact_files SET state = 'cancelled', reason = 'cancelled', ended_at = now(), next_poke_at = NULL, reached = '',
    terms = '{}', expires_at = now() + %(life)s
WHERE job_id = %(job_id)s AND state = 'open'
"""
STANDING = """
SELECT kind, state, pieces, coalesce(expires_at > now(), false) AS kept FROM contact_files
WHERE job_id = %(job_id)s AND state <> 'receiving'
"""
PIECE = "SELECT key_id, content FROM contact_file_pieces WHERE job_id = %(job_id)s AND position = %(position)s"
ERRORS = """
SELECT id, line, column_name, code, message FROM contact_file_errors WHERE job_id = %(job_id)s
    AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid)
ORDER BY id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What can be fetched."""

    tenant_id: UUID
    job_id: UUID
    pieces: int


class ContactFiles:
    """Files of one deployment's tenants, each seen by one tenant only."""

    def __init__(self, database: Database, seal: Seal, timing: Timing) -> None:
        self._database = database
        self._seal = seal
        self._timing = timing

    async def export(self, identity: Identity, rule: Mapping[str, Any], key: IdempotencyKey | None) -> Taken:
        """Begin to export the contacts a rule finds.

        Raises:
            Invalid: it is no rule, or the key named another request.
            Conflict: as `named_before`.
        """
        if earlier := await earlier_answer(self._database, identity.tenant_id, key):
            return Taken(earlier.id, replayed=True)
        job_id = new_id()
        async with self._database.tenant_transaction(identity.tenant_id) as connection:
            earlier = await named_before(connection, identity.tenant_id, key, {"job_id": job_id})
            if earlier is not None:
                return Taken(earlier.id, replayed=True)
            whole = await expanded(connection, identity.tenant_id, rule)
            selected = compile_rule(whole, identity.tenant_id)
            found = await connection.execute(COUNT.format(selected=selected.sql), selected.parameters)
            [row] = await found.fetchall()
            asked = {"job_id": job_id, "tenant_id": identity.tenant_id, "api_key_id": identity.key_id}
            await connection.execute(JOB, asked | {"total": row["total"]})
            await connection.execute(BEGIN, asked | {"terms": json.dumps({"rule": whole})})
        return Taken(job_id, replayed=False)

    async def cancel(self, tenant_id: UUID, job_id: UUID) -> None:
        """Write nothing more of a file; what was written stays.

        Raises:
            NotFound: there is no such file.
            Conflict: it has ended already (`already_final`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            await connection.execute(NOTE_WISH, {"job_id": job_id})
            ended = await connection.execute(CANCEL, {"job_id": job_id, "life": self._timing.report_life})
            if ended.rowcount == 0:
                raise Conflict("This job has ended already.", code="already_final")

    async def errors(self, tenant_id: UUID, job_id: UUID, window: tuple[UUID | None, int]) -> Page[Problem]:
        """Return what an import tells of its lines, as it came upon them; `window` is the id to start behind, how many.

        Raises:
            NotFound: there is no such import.
        """
        after, limit = window
        rows = await self._errors(tenant_id, job_id, (after, limit + 1))
        items = [_problem(row) for row in rows[:limit]]
        return Page(items, rows[limit - 1]["id"] if len(rows) > limit else None)

    async def all_errors(self, tenant_id: UUID, job_id: UUID, page: int) -> AsyncIterator[Sequence[Problem]]:
        """Yield all of them, page by page."""
        after: UUID | None = None
        while rows := await self._errors(tenant_id, job_id, (after, page)):
            yield [_problem(row) for row in rows]
            after = rows[-1]["id"]

    async def _errors(
        self, tenant_id: UUID, job_id: UUID, window: tuple[UUID | None, int]
    ) -> Sequence[Mapping[str, Any]]:
        after, limit = window
        async with self._database.tenant_transaction(tenant_id) as connection:
            row = await (await connection.execute(STANDING, {"job_id": job_id})).fetchone()
            if row is None or row["kind"] != FileKind.IMPORT:
                raise NotFound("There is no such job.")
            asked = {"job_id": job_id, "after": after, "limit": limit}
            return await (await connection.execute(ERRORS, asked)).fetchall()

    async def exported(self, tenant_id: UUID, job_id: UUID) -> Exported:
        """Return what an export wrote.

        Raises:
            NotFound: there is no such export, or it is kept no longer (`result_gone`).
            Conflict: it is not finished (`not_finished`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            row = await (await connection.execute(STANDING, {"job_id": job_id})).fetchone()
        if row is None or row["kind"] != FileKind.EXPORT:
            raise NotFound("There is no such job.")
        if row["state"] == FileState.OPEN:
            raise Conflict("The export is not finished.", code="not_finished")
        if row["state"] != FileState.DONE or not row["kept"]:
            raise NotFound("What this job exported is kept no longer.", code="result_gone")
        return Exported(tenant_id, job_id, row["pieces"])

    async def text(self, found: Exported) -> AsyncIterator[bytes]:
        """Yield the text of an export piece by piece; one that is taken away meanwhile breaks off."""
        for position in range(found.pieces):
            async with self._database.tenant_transaction(found.tenant_id) as connection:
                asked = {"job_id": found.job_id, "position": position}
                row = await (await connection.execute(PIECE, asked)).fetchone()
            if row is None:
                raise NotFound("What this job exported is kept no longer.", code="result_gone")
            sealed = Sealed(row["key_id"], row["content"])
            yield self._seal.open(sealed, tenant_id=found.tenant_id, row_id=found.job_id).encode()


def _problem(row: Mapping[str, Any]) -> Problem:
    return Problem(row["line"], row["column_name"], row["code"], row["message"])
