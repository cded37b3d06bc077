"""One step of an import: the next piece of the file is written, with what it did and how far that was."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.contact_files import writing
from postroom.contact_files.columns import read_columns
from postroom.contact_files.deciding import Judge, Known, Terms, Verdict
from postroom.contact_files.ending import end_file
from postroom.contact_files.models import FileState, Mode, Outcome
from postroom.contact_files.records import Record
from postroom.contact_files.rows import Problem, Row, RowReader
from postroom.contacts.turns import take_turn
from postroom.contracts.contact_files import FileStanding
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database
from postroom.identity import address_hash
from postroom.policy.reconsidering import reconsidered
from postroom.tenants.secrets import Seal, Sealed
from postroom.timing import Timing

FILE = """
SELECT f.job_id, f.tenant_id, f.api_key_id, f.state, f.terms, f.position, f.pieces, f.counts, f.received_at, j.total,
       f.received_at + %(life)s < now() AS is_late, p.key_id, p.content
FROM contact_files f JOIN jobs j ON j.id = f.job_id
LEFT JOIN contact_file_pieces p ON p.job_id = f.job_id AND p.position = f.position
WHERE f.job_id = %(job_id)s
"""
# Two that read the same file take turns here, and the second one finds the piece written.
LOCK = "SELECT state, position, counts FROM contact_files WHERE job_id = %(job_id)s FOR NO KEY UPDATE"
REACHED = """
UPDATE contact_files SET position = position + 1, counts = %(counts)s, pokes = 0, next_poke_at = now() + %(grace)s
WHERE job_id = %(job_id)s
"""
# What was written is kept twice no longer.
DROP = "DELETE FROM contact_file_pieces WHERE job_id = %(job_id)s AND position = %(position)s"

File = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """What a piece of the file says: sound rows, problems of the others, and hashes of whom and what they name."""

    rows: Sequence[Row]
    problems: Sequence[Problem]
    names: Mapping[str, bytes]
    emails: Mapping[str, bytes]

    @property
    def unsound(self) -> int:
        """How many lines cannot be read."""
        return len({problem.line for problem in self.problems})


@dataclass(frozen=True, slots=True)
class Importer:
    """Takes steps of imports; the pepper makes hashes of names and addresses."""

    database: Database
    seal: Seal
    pepper: bytes
    timing: Timing

    async def step(self, tenant_id: UUID, job_id: UUID) -> FileStanding:
        """Write the next piece, and say how the import stands then."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            asked = {"job_id": job_id, "life": self.timing.import_life}
            file = await (await connection.execute(FILE, asked)).fetchone()
            if file is None or file["state"] != FileState.OPEN:
                return _standing(file)
            if end := _end_of(file):
                await end_file(connection, job_id, end, self.timing.report_life)
                return FileStanding(end[0], sum(file["counts"].values()), file["total"])
        terms = read_terms(file["terms"])
        piece = await asyncio.to_thread(self._read, file, terms)
        with suppress(writing.Overtaken):  # the next step decides anew
            await self._write(file, terms, piece)
        return FileStanding(FileState.OPEN, sum(file["counts"].values()), file["total"])

    def _read(self, file: File, terms: Terms) -> Piece:
        """Open a piece and read it, beside the event loop: a thousand rows take some 20 ms."""
        sealed = Sealed(file["key_id"], file["content"])
        text = self.seal.open(sealed, tenant_id=file["tenant_id"], row_id=file["job_id"])
        reader = RowReader(read_columns(terms.columns), terms.delimiter)
        rows, problems = reader.read(Record(*record) for record in json.loads(text))
        names = {row.user_id: address_hash(self.pepper, ChannelKind.IN_APP, row.user_id) for row in rows}
        emails = [row.addresses["email"] for row in rows if "email" in row.addresses]
        hashes = {one: address_hash(self.pepper, ChannelKind.EMAIL, one) for one in emails}
        return Piece(rows, problems, names, hashes)

    async def _write(self, file: File, terms: Terms, piece: Piece) -> None:
        """Write it in one transaction; whose contact changes, their open messages are decided again.

        Raises:
            Overtaken: nothing was written.
        """
        judge = Judge(terms, file["received_at"])
        theirs = [] if terms.validate_only else await self._changing(judge, file, piece)
        async with reconsidered(self.database, file["tenant_id"], *theirs) as connection:
            await take_turn(connection, file["tenant_id"])
            locked = await (await connection.execute(LOCK, {"job_id": file["job_id"]})).fetchone()
            if locked is None or (locked["state"], locked["position"]) != (FileState.OPEN, file["position"]):
                return
            verdict = judge.decide(piece.rows, await self._known(connection, file, piece, lock=True))
            verdict.count(Outcome.REJECTED, piece.unsound)
            if not terms.validate_only:
                await writing.write_people(connection, file["tenant_id"], file["api_key_id"], verdict)
                if {entry.contact.user_id for entry in verdict.changed}.difference(theirs):
                    raise writing.Overtaken
            await self._advance(connection, file, piece, verdict)

    async def _changing(self, judge: Judge, file: File, piece: Piece) -> list[str]:
        """Return whose contact is likely to be another one afterwards; a file of new people asks no more than that."""
        async with self.database.tenant_transaction(file["tenant_id"]) as connection:
            if not await writing.contacts_of(connection, file["tenant_id"], piece.names, lock=False):
                return []
            verdict = judge.decide(piece.rows, await self._known(connection, file, piece))
        return [entry.contact.user_id for entry in verdict.changed]

    async def _known(self, connection: Connection, file: File, piece: Piece, *, lock: bool = False) -> Known:
        tenant_id, users = file["tenant_id"], sorted(piece.names)
        people = {digest: user for user, digest in piece.names.items()}
        met = await writing.met_by(connection, file["job_id"], people)
        erased = await writing.erased_of(connection, tenant_id, ChannelKind.IN_APP, people)
        gone = await writing.erased_of(connection, tenant_id, ChannelKind.EMAIL, piece.emails.values())
        refused = {email for email, digest in piece.emails.items() if digest in gone}
        of_addresses = {row.user_id for row in piece.rows if row.addresses.get("email") in refused}
        return Known(
            contacts=await writing.contacts_of(connection, tenant_id, users, lock=lock),
            erased=frozenset({people[digest] for digest in erased} | of_addresses),
            met={people[digest]: before for digest, before in met.items()},
        )

    async def _advance(self, connection: Connection, file: File, piece: Piece, verdict: Verdict) -> None:
        place = {"job_id": file["job_id"], "tenant_id": file["tenant_id"]}
        people = {piece.names[user]: met for user, met in verdict.people.items()}
        await writing.meet(connection, place, people)
        await writing.tell(connection, place, sorted([*piece.problems, *verdict.problems], key=lambda one: one.line))
        counts = dict(file["counts"])
        for outcome, more in verdict.counts.items():
            counts[outcome] = counts.get(outcome, 0) + more
        done = {"counts": json.dumps(counts), "grace": self.timing.watch_grace, "position": file["position"]}
        await connection.execute(REACHED, place | done)
        await connection.execute(DROP, place | done)


def _end_of(file: File) -> tuple[FileState, str | None] | None:
    if file["position"] >= file["pieces"]:
        return FileState.DONE, None
    return (FileState.CANCELLED, "import_expired") if file["is_late"] else None


def read_terms(stored: Mapping[str, Any]) -> Terms:
    """Read what an import was asked to be."""
    return Terms(**{**stored, "mode": Mode(stored["mode"])})


def _standing(file: File | None) -> FileStanding:
    if file is None:
        return FileStanding("gone")
    return FileStanding(file["state"], sum(file["counts"].values()), file["total"])
