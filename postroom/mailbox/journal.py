"""The journal of accepted mail: one writing thread that commits whatever has gathered, then says so."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from postroom.mailbox import repository
from postroom.mailbox.letter import Acceptance, Kept, Letter

BATCH_LIMIT = 256
# Below the limit by this much after a clean-up, so that the next letter does not start another one.
SLACK = 0.1

_T = TypeVar("_T")
Work = Callable[[sqlite3.Connection], _T]


@dataclass(slots=True)
class _Entry:
    """Something to do in the next transaction; `done` is told only after its commit."""

    work: Work[Any]
    done: "asyncio.Future[Any]"
    size: int = 0
    result: Any = field(default=None)


class Journal:
    """Durable before it answers: a future of `keep` resolves when the letter's transaction is on disk."""

    def __init__(self, writing: sqlite3.Connection, reading: sqlite3.Connection, keep_bytes: int) -> None:
        self._writing = writing
        self._reading = reading
        self._keep_bytes = keep_bytes
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        self._writer = Thread(target=self._write, name="journal-writer", daemon=True)
        self._writer.start()

    def keep(self, letter: Letter) -> "asyncio.Future[Kept]":
        """Write one letter; the future fails with `sqlite3.Error` when it could not be made durable."""
        return self._submit(lambda connection: repository.insert(connection, letter), len(letter.raw))

    async def acceptances(self, message_ids: Sequence[str]) -> dict[str, Acceptance]:
        """Return what was accepted, every letter handed to `keep` before this call included."""
        return await self._submit(lambda connection: repository.acceptances(connection, message_ids))

    async def clear(self) -> int:
        """Empty the list, keep the receipts; returns how many messages went."""
        return await self._submit(repository.clear)

    async def read(self, work: Work[_T]) -> _T:
        """Run a query beside the writer."""
        return await self._loop.run_in_executor(self._readers, lambda: work(self._reading))

    async def close(self) -> None:
        """Commit what is waiting, then close the file."""
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        self._reading.close()
        self._writing.close()

    def _submit(self, work: Work[_T], size: int = 0) -> "asyncio.Future[_T]":
        entry = _Entry(work, self._loop.create_future(), size)
        self._queue.put(entry)
        return entry.done

    def _write(self) -> None:
        held = repository.held_bytes(self._writing)
        while (entry := self._queue.get()) is not None:
            batch, last = self._gather(entry)
            failure = _commit(self._writing, batch)
            self._loop.call_soon_threadsafe(_tell, batch, failure)
            held += sum(entry.size for entry in batch)
            if held > self._keep_bytes:
                held = _shrink(self._writing, int(self._keep_bytes * (1 - SLACK)))
            if last:
                break

    def _gather(self, entry: _Entry) -> tuple[list[_Entry], bool]:
        batch = [entry]
        with suppress(Empty):
            while len(batch) < BATCH_LIMIT:
                following = self._queue.get_nowait()
                if following is None:
                    return batch, True
                batch.append(following)
        return batch, False


@asynccontextmanager
async def open_journal(path: Path, keep_bytes: int) -> AsyncIterator[Journal]:
    """Open or create the journal; what was submitted before leaving is committed."""
    journal = Journal(repository.open_journal(path), repository.open_for_reading(path), keep_bytes)
    try:
        yield journal
    finally:
        await journal.close()


def _commit(connection: sqlite3.Connection, batch: list[_Entry]) -> Exception | None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        for entry in batch:
            entry.result = entry.work(connection)
        connection.execute("COMMIT")
    except (sqlite3.Error, ValueError) as failure:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        return failure
    return None


def _shrink(connection: sqlite3.Connection, target: int) -> int:
    """Let old texts go; a disk that refuses even that is reported by the next letter's commit."""
    try:
        held = repository.held_bytes(connection)
        if held > target:
            repository.release(connection, held - target)
            connection.execute("PRAGMA incremental_vacuum").fetchall()
        return repository.held_bytes(connection)
    except sqlite3.Error:
        return target


def _tell(batch: list[_Entry], failure: Exception | None) -> None:
    for entry in batch:
        if entry.done.cancelled():
            continue
        if failure is None:
            entry.done.set_result(entry.result)
        else:
            entry.done.set_exception(failure)
