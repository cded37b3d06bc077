"""Looks at one domain and writes down what was found; keys that were seen in DNS begin to sign."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.database.engine import Database
from postroom.errors import NotFound
from postroom.mail_domains import repository
from postroom.mail_domains.examination import Examination, Examiner
from postroom.mail_domains.models import DomainKey, DomainState, KeyState, MailDomain
from postroom.mail_domains.names import Names
from postroom.mail_domains.records import House
from postroom.timing import Timing


@dataclass(frozen=True, slots=True)
class Standing:
    """A domain with its keys, the oldest first; `replayed` when an earlier request made it."""

    domain: MailDomain
    keys: Sequence[DomainKey]
    replayed: bool = False


async def standing_of(session: AsyncSession, domain_id: UUID, *, lock: bool = False) -> Standing:
    """Read a domain with its keys, or raise NotFound."""
    domain = await repository.domain_of(session, domain_id, lock=lock)
    if domain is None:
        raise NotFound("There is no such mail domain.")
    return Standing(domain, await repository.keys_of(session, [domain_id]))


class Checks:
    """Checks domains one at a time: a read, a look outside of any transaction, and a write."""

    def __init__(self, database: Database, examiner: Examiner, timing: Timing) -> None:
        self._database = database
        self._examiner = examiner
        self._timing = timing

    @classmethod
    def asking(cls, servers: str | None, house: House, database: Database, timing: Timing) -> Self:
        """Check with these DNS servers, or the machine's own where none is named.

        Raises:
            Invalid: one of them is no address.
        """
        return cls(database, Examiner(Names(servers or "", timing.dns_answer), house, timing.domain_look), timing)

    async def check(self, tenant_id: UUID, domain_id: UUID) -> Standing:
        """Look at a domain now, and return how it stands then.

        Raises:
            NotFound: the tenant has no such domain, or not any more.
        """
        async with self._database.tenant_session(tenant_id) as session:
            seen = await standing_of(session, domain_id)
        examination = await self._examiner.examine(seen.domain, seen.keys)
        async with self._database.tenant_session(tenant_id) as session:
            now = await standing_of(session, domain_id, lock=True)
            await self._write(session, now, examination)
            return await standing_of(session, domain_id)

    async def _write(self, session: AsyncSession, now: Standing, examination: Examination) -> None:
        waiting = {key.id for key in now.keys if key.state == KeyState.PENDING}
        for key in examination.published:
            if key.id in waiting:
                await repository.let_sign(session, key)
        state = examination.state(DomainState(now.domain.state))
        settled = state is DomainState.READY
        pause = self._timing.domain_check if settled else self._timing.domain_check_soon
        values = {
            "state": state,
            "findings": [finding.stored() for finding in examination.findings],
            "checked_at": func.now(),
            "next_check_at": func.now() + pause,
        }
        await repository.change(session, now.domain.id, values)
