"""Takes in a file of contacts as it comes: cut into sealed pieces, never held whole."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, field, replace
from uuid import UUID

from postroom.contact_files.columns import read_columns
from postroom.contact_files.deciding import Terms
from postroom.contact_files.records import Cutter, Record
from postroom.contact_files.rows import split
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, TooLarge, TooMany
from postroom.identity import new_id
from postroom.notifications.replay import idempotency_key, named_before
from postroom.tenants.gate import Identity
from postroom.tenants.secrets import Seal
from postroom.timing import Timing

PIECE_ROWS = 1_000  # in one transaction of the import: some 100 ms, in which nobody else writes these contacts
PIECE_LENGTH = 1_000_000
MOST_FILES = 20  # of one tenant at once, received or not yet written
DELIMITERS = ",;\t"

FILES = "SELECT count(*) AS count FROM contact_files WHERE state IN ('receiving', 'open') AND kind = 'import'"
BEGIN = """
INSERT INTO contact_files (job_id, tenant_id, api_key_id, kind, state, terms, expires_at)
VALUES (%(job_id)s, %(tenant_id)s, %(api_key_id)s, 'import', 'receiving', '{}', now() + %(life)s)
"""
PUT = """
INSERT INTO contact_file_pieces (job_id, position, tenant_id, key_id, content)
VALUES (%(job_id)s, %(position)s, %(tenant_id)s, %(key_id)s, %(content)b)
"""
OPEN = """
UPDATE contact_files SET state = 'open', terms = %(terms)s, pieces = %(pieces)s, received_at = now(), expires_at = NULL,
    next_poke_at = now()
WHERE job_id = %(job_id)s
"""
JOB = """
INSERT INTO jobs (id, tenant_id, api_key_id, kind, total)
VALUES (%(job_id)s, %(tenant_id)s, %(api_key_id)s, 'import', %(total)s)
"""
FORGET = "DELETE FROM contact_files WHERE job_id = %(job_id)s"


@dataclass(frozen=True, slots=True)
class Taken:
    """The job of an import; `replayed` when an earlier request under the same key had made it."""

    job_id: UUID
    replayed: bool


@dataclass(slots=True)
class _Upload:
    """One file on its way in."""

    identity: Identity
    terms: Terms
    job_id: UUID = field(default_factory=new_id)
    cutter: Cutter = field(default_factory=Cutter)
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    size: int = 0
    total: int = 0
    pieces: int = 0
    length: int = 0
    held: list[Record] = field(default_factory=list)

    @property
    def place(self) -> dict[str, object]:
        """Name its row to a statement."""
        return {
            "job_id": self.job_id,
            "tenant_id": self.identity.tenant_id,
            "api_key_id": self.identity.key_id,
        }

    def take(self, records: Iterable[Record]) -> None:
        """Take records; the first one is the header. Raises Invalid for one that names no columns of contacts."""
        for record in records:
            if not self.terms.columns:
                self.terms = read_header(record, self.terms)
                continue
            self.held.append(record)
            self.length += len(record.text)

    def check(self) -> None:
        """Hold a whole file to having anything in it."""
        if not self.total:
            raise Invalid("The file has no rows; the first line names the columns.", code="empty_file")

    @property
    def is_full(self) -> bool:
        """Whether there is a piece to store."""
        return len(self.held) >= PIECE_ROWS or self.length >= PIECE_LENGTH


class FileReception:
    """Takes in files for one deployment; `limit` is the largest one, in bytes."""

    def __init__(self, database: Database, seal: Seal, timing: Timing, limit: int) -> None:
        self._database = database
        self._seal = seal
        self._timing = timing
        self._limit = limit

    async def receive(self, identity: Identity, terms: Terms, octets: AsyncIterator[bytes], name: str | None) -> Taken:
        """Store a file and its job, or find the job of the same file under the same name.

        A delimiter that the terms leave empty is found in the header.

        Raises:
            Invalid: it is no UTF-8, its first line names no columns of contacts, or nothing follows.
            TooLarge: it is larger than a file may be.
            TooMany: too many files of the tenant wait to be written.
        """
        upload = _Upload(identity, terms)
        try:
            async for some in octets:
                await self._take(upload, some)
            upload.take(upload.cutter.end())
            while upload.held:
                await self._store(upload)
            upload.check()
            taken = await self._open(upload, name)
        except BaseException:
            await self._forget(upload)
            raise
        if taken.replayed:
            await self._forget(upload)
        return taken

    async def _take(self, upload: _Upload, octets: bytes) -> None:
        upload.size += len(octets)
        if upload.size > self._limit:
            raise TooLarge(f"A file of contacts has at most {self._limit} bytes.")
        upload.digest.update(octets)
        upload.take(upload.cutter.feed(octets))
        while upload.is_full:
            await self._store(upload)

    async def _store(self, upload: _Upload) -> None:
        """Store some of what is held as the next piece."""
        some, upload.held = upload.held[:PIECE_ROWS], upload.held[PIECE_ROWS:]
        upload.length = sum(len(record.text) for record in upload.held)
        text = json.dumps([[one.line, one.text, one.broken] for one in some], ensure_ascii=False)
        sealed = self._seal.seal(text, tenant_id=upload.identity.tenant_id, row_id=upload.job_id)
        piece = {"position": upload.pieces, "key_id": sealed.key_id, "content": sealed.content}
        async with self._database.tenant_transaction(upload.identity.tenant_id) as connection:
            if upload.pieces == 0:
                row = await (await connection.execute(FILES)).fetchone()
                if row and row["count"] >= MOST_FILES:
                    raise TooMany(f"{MOST_FILES} files wait to be written.", code="too_many_files", retry_after=30)
                await connection.execute(BEGIN, upload.place | {"life": self._timing.import_life})
            await connection.execute(PUT, upload.place | piece)
        upload.pieces += 1
        upload.total += len(some)

    async def _open(self, upload: _Upload, name: str | None) -> Taken:
        """Make the job, from which on the file will be written; what its key named before is found instead."""
        spelled = asdict(upload.terms) | {"mode": str(upload.terms.mode)}
        key = None if name is None else idempotency_key(name, [spelled, upload.digest.hexdigest()])
        async with self._database.tenant_transaction(upload.identity.tenant_id) as connection:
            made = {"job_id": upload.job_id}
            earlier = await named_before(connection, upload.identity.tenant_id, key, made)
            if earlier is not None:
                return Taken(earlier.id, replayed=True)
            await connection.execute(JOB, upload.place | {"total": upload.total})
            done = {"terms": json.dumps(spelled), "pieces": upload.pieces}
            if (await connection.execute(OPEN, upload.place | done)).rowcount != 1:
                raise Conflict("The file was received for too long.", code="upload_expired")
        return Taken(upload.job_id, replayed=False)

    async def _forget(self, upload: _Upload) -> None:
        if upload.pieces:
            async with self._database.tenant_transaction(upload.identity.tenant_id) as connection:
                await connection.execute(FORGET, upload.place)


def read_header(record: Record, terms: Terms) -> Terms:
    """Read the first record: the delimiter, found there unless it is given, and the names of the columns.

    Raises:
        Invalid: as `read_columns`.
    """
    found = terms.delimiter or max(DELIMITERS, key=record.text.count)
    names = None if record.broken else split(record.text, found)
    if names is None:
        raise Invalid("The first line is to name the columns, and cannot be read.", code="unreadable_header")
    return replace(terms, delimiter=found, columns=[column.name for column in read_columns(names)])
