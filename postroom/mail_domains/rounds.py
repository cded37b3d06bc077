"""Looks again at every domain when its time has come; any number of workers may do so."""

import logging

from psycopg import OperationalError
from sqlalchemy.exc import OperationalError as DatabaseAway

from postroom.database.engine import Database
from postroom.errors import NotFound, Unavailable
from postroom.loops import Beat, keep_at
from postroom.mail_domains.checking import Checks
from postroom.timing import Timing

log = logging.getLogger(__name__)

AT_ONCE = 10  # domains of one round

# The next time is written before the look: a domain whose look dies on the way is looked at again, not forgotten.
TAKE = """
UPDATE mail_domains m SET next_check_at = now() + %(claim)s
FROM (SELECT id FROM mail_domains WHERE next_check_at <= now() ORDER BY next_check_at LIMIT %(limit)s
      FOR NO KEY UPDATE SKIP LOCKED) due
WHERE m.id = due.id
RETURNING m.id, m.tenant_id
"""


class DomainRounds:
    """Runs rounds until it is cancelled."""

    def __init__(self, database: Database, checks: Checks, timing: Timing) -> None:
        self._database = database
        self._checks = checks
        self._asked = {"claim": timing.domain_claim, "limit": AT_ONCE}
        self._pause = timing.domain_poll

    async def run(self) -> None:
        """Look at what is due, and for it every `domain_poll`. Never returns."""
        await keep_at(log, Beat("checks of mail domains", self._pause, full=1), self.round)

    async def round(self) -> int:
        """Look at some domains that are due; returns how many."""
        async with self._database.system_transaction() as connection:
            due = [(row["tenant_id"], row["id"]) async for row in await connection.execute(TAKE, self._asked)]
        for tenant_id, domain_id in due:
            try:
                await self._checks.check(tenant_id, domain_id)
            except NotFound:
                continue  # deleted meanwhile
            except (OperationalError, DatabaseAway, Unavailable):
                raise  # of no domain in particular
            except Exception:
                log.exception("mail domain %s could not be looked at", domain_id)  # the others of this round can
        return len(due)
