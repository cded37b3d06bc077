"""Which links the mails of a task have in common: registered for a page at a time, then known to the process."""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.database.arrays import Octets, Texts
from postroom.database.engine import Database
from postroom.errors import Unavailable

log = logging.getLogger(__name__)

TASKS = 100  # whose links a process remembers
MOST = 500  # links of one task; what comes later is counted without a position
SEEN = 5_000  # links of a task that stood in one mail so far; what is common comes among the first

# Positions are given one task at a time; who waited here sees in the next statement what the one before has added.
TURN = "SELECT pg_advisory_xact_lock(hashtextextended('links of ' || %(task_id)s::uuid, 0))"
REGISTER = """
WITH asked AS (
    SELECT * FROM unnest(%(urls)b::text[], %(hashes)b::bytea[]) WITH ORDINALITY AS asked (url, url_hash, place)
), fresh AS (
    SELECT url, url_hash, row_number() OVER (ORDER BY place) AS number FROM asked a
    WHERE NOT EXISTS (SELECT FROM task_links l WHERE l.task_id = %(task_id)s AND l.url_hash = a.url_hash)
)
INSERT INTO task_links (task_id, position, tenant_id, url, url_hash)
SELECT %(task_id)s, known.count + number, %(tenant_id)s, url, url_hash
FROM fresh, (SELECT count(*) FROM task_links WHERE task_id = %(task_id)s) AS known
WHERE known.count + number <= %(most)s
"""
KNOWN = "SELECT url, position FROM task_links WHERE task_id = %(task_id)s"


@dataclass(slots=True)
class _Task:
    """What is known of a task: the positions of its links, and in which single mail others have stood."""

    known: Mapping[str, int] = field(default_factory=dict)
    seen: dict[str, UUID] = field(default_factory=dict)

    def common(self, mails: Mapping[UUID, Sequence[str]]) -> list[str]:
        """Return the links that have now stood in two mails; one that stands in one alone may name its person."""
        found: dict[str, None] = {}
        for delivery_id, urls in mails.items():
            for url in urls:
                if url in self.known:
                    continue
                first = self.seen.get(url, delivery_id)
                if first != delivery_id:
                    found[url] = None
                elif len(self.seen) < SEEN:
                    self.seen[url] = delivery_id
        return list(found)


class LinkBook:
    """The links of the tasks this process sends for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks: OrderedDict[UUID, _Task] = OrderedDict()

    async def positions(self, tenant_id: UUID, task_id: UUID, mails: Mapping[UUID, Sequence[str]]) -> Mapping[str, int]:
        """Return the positions of the links that mails of a task have in common, given the links of each delivery.

        What has none is one person's alone, or came when the task had enough; its clicks are counted all the same.
        """
        task = self._tasks.setdefault(task_id, _Task())
        self._tasks.move_to_end(task_id)
        if len(self._tasks) > TASKS:
            self._tasks.popitem(last=False)
        if len(task.known) < MOST and (fresh := task.common(mails)):
            try:
                task.known = await self._register(tenant_id, task_id, fresh)
            except (DatabaseError, Unavailable) as error:
                log.warning("links go out without a position: %s", type(error).__name__)
        return task.known

    async def _register(self, tenant_id: UUID, task_id: UUID, urls: Sequence[str]) -> Mapping[str, int]:
        asked = {
            "task_id": task_id,
            "tenant_id": tenant_id,
            "urls": Texts(urls),
            "hashes": Octets(hashlib.sha256(url.encode()).digest() for url in urls),
            "most": MOST,
        }
        async with self._database.tenant_transaction(tenant_id) as connection:
            await connection.execute(TURN, asked)
            await connection.execute(REGISTER, asked)
            rows = await (await connection.execute(KNOWN, asked)).fetchall()
        return {row["url"]: row["position"] for row in rows}
