"""Every statement of the journal, in SQLite: messages by Message-ID, a row per accepted copy, each text once."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from postroom.mailbox.letter import Acceptance, Copy, Kept, Letter, Summary

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY,
    message_id TEXT UNIQUE,
    latest INTEGER NOT NULL,
    copies INTEGER NOT NULL,
    shown INTEGER NOT NULL,
    author TEXT NOT NULL,
    recipients TEXT NOT NULL,
    mail_from TEXT NOT NULL,
    subject TEXT NOT NULL,
    size INTEGER NOT NULL,
    first_at REAL NOT NULL,
    latest_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_shown ON messages (shown, latest);
CREATE TABLE IF NOT EXISTS copies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL REFERENCES messages,
    accepted_at REAL NOT NULL,
    mail_from TEXT NOT NULL,
    recipients TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS copies_message ON copies (message);
CREATE TABLE IF NOT EXISTS bodies (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    raw BLOB NOT NULL
);
"""
_SUMMARY = "id, latest, message_id, mail_from, recipients, author, subject, size, copies, first_at, latest_at"


@dataclass(frozen=True, slots=True)
class Search:
    """Parts of addresses and subjects, in any case; `anywhere` looks at both and at the author."""

    to: str = ""
    subject: str = ""
    anywhere: str = ""


def open_journal(path: Path) -> sqlite3.Connection:
    """Open the file for the one writer; FULL makes every commit wait for the disk, also in WAL mode."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(_SCHEMA)
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the file next to its writer; readers of a WAL never wait for it."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA query_only=ON")
    return connection


def insert(connection: sqlite3.Connection, letter: Letter) -> Kept:
    """Add one copy; the first copy makes the message."""
    digest, size, now = sha256(letter.raw).hexdigest(), len(letter.raw), datetime.now(UTC).timestamp()
    connection.execute("INSERT OR IGNORE INTO bodies (sha256, size, raw) VALUES (?, ?, ?)", (digest, size, letter.raw))
    recipients = json.dumps(letter.recipients, ensure_ascii=False)
    row = connection.execute(
        "INSERT INTO messages"
        " (message_id, latest, copies, shown, author, recipients, mail_from, subject, size, first_at, latest_at)"
        " VALUES (?, 0, 1, 1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id) DO UPDATE"
        " SET copies = copies + 1, shown = 1, latest_at = excluded.latest_at RETURNING id, copies",
        (letter.message_id, letter.author, recipients, letter.mail_from, letter.subject, size, now, now),
    ).fetchone()
    copy = connection.execute(
        "INSERT INTO copies (message, accepted_at, mail_from, recipients, sha256, size) VALUES (?, ?, ?, ?, ?, ?)",
        (row[0], now, letter.mail_from, recipients, digest, size),
    ).lastrowid
    connection.execute("UPDATE messages SET latest = ? WHERE id = ?", (copy, row[0]))
    return Kept(*row)


def page(connection: sqlite3.Connection, search: Search, before: int | None, limit: int) -> list[Summary]:
    """Return messages not cleared away, latest arrival first, from below a cursor."""
    rows = connection.execute(
        f"SELECT {_SUMMARY} FROM messages WHERE shown = 1 AND (:before IS NULL OR latest < :before)"
        r" AND recipients LIKE :recipient ESCAPE '\' AND subject LIKE :subject ESCAPE '\'"
        r" AND (recipients LIKE :anywhere ESCAPE '\' OR subject LIKE :anywhere ESCAPE '\'"
        r" OR author LIKE :anywhere ESCAPE '\')"
        " ORDER BY latest DESC LIMIT :limit",
        {
            "before": before,
            "recipient": _containing(search.to),
            "subject": _containing(search.subject),
            "anywhere": _containing(search.anywhere),
            "limit": limit,
        },
    )
    return [_summary(row) for row in rows]


def count(connection: sqlite3.Connection) -> int:
    """Return how many messages the list has."""
    return int(connection.execute("SELECT count(*) FROM messages WHERE shown = 1").fetchone()[0])


def version(connection: sqlite3.Connection) -> str:
    """Return a text that changes whenever the list does."""
    row = connection.execute("SELECT coalesce(max(latest), 0), count(*) FROM messages WHERE shown = 1").fetchone()
    return f"{row[0]}-{row[1]}"


def find(connection: sqlite3.Connection, message: int) -> Summary | None:
    """Return one message that was not cleared away."""
    row = connection.execute(f"SELECT {_SUMMARY} FROM messages WHERE shown = 1 AND id = ?", (message,)).fetchone()
    return None if row is None else _summary(row)


def copies(connection: sqlite3.Connection, message: int, limit: int) -> list[Copy]:
    """Return the first acceptances of a message, in order."""
    rows = connection.execute(
        "SELECT accepted_at, mail_from, recipients, sha256, size FROM copies WHERE message = ? ORDER BY id LIMIT ?",
        (message, limit),
    )
    return [Copy(_time(at), sender, tuple(json.loads(to)), digest, size) for at, sender, to, digest, size in rows]


def text(connection: sqlite3.Connection, message: int) -> bytes | None:
    """Return the bytes of the earliest copy that still has them."""
    row = connection.execute(
        "SELECT raw FROM copies JOIN bodies USING (sha256) WHERE message = ? ORDER BY copies.id LIMIT 1", (message,)
    ).fetchone()
    return None if row is None else bytes(row[0])


def acceptances(connection: sqlite3.Connection, message_ids: Sequence[str]) -> dict[str, Acceptance]:
    """Return what was accepted of these, cleared away or not."""
    marks = ", ".join("?" * len(message_ids))
    rows = connection.execute(
        f"SELECT message_id, first_at, copies FROM messages WHERE message_id IN ({marks})", tuple(message_ids)
    )
    return {message_id: Acceptance(_time(at), times) for message_id, at, times in rows}


def clear(connection: sqlite3.Connection) -> int:
    """Empty the list and let every text go; the receipts stay, for they are the truth others ask for."""
    cleared = connection.execute("UPDATE messages SET shown = 0 WHERE shown = 1").rowcount
    connection.execute("DELETE FROM bodies")
    connection.execute("PRAGMA incremental_vacuum").fetchall()
    return cleared


def held_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of all texts."""
    return int(connection.execute("SELECT coalesce(sum(size), 0) FROM bodies").fetchone()[0])


def release(connection: sqlite3.Connection, surplus: int) -> None:
    """Let the oldest texts go until at least that many bytes are free."""
    connection.execute(
        "DELETE FROM bodies WHERE id <= (SELECT max(id) FROM (SELECT id, size, sum(size) OVER (ORDER BY id) AS upto"
        " FROM bodies) WHERE upto - size < ?)",
        (surplus,),
    )


def _containing(part: str) -> str:
    escaped = part.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def _summary(row: tuple[int, int, str | None, str, str, str, str, int, int, float, float]) -> Summary:
    ident, cursor, message_id, mail_from, recipients, author, subject, size, times, first_at, latest_at = row
    return Summary(
        ident,
        cursor,
        message_id,
        mail_from,
        tuple(json.loads(recipients)),
        author,
        subject,
        size,
        times,
        _time(first_at),
        _time(latest_at),
    )


def _time(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)
