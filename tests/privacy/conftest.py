"""The loop that works for people, on the test's database, and requests as the API makes them."""

import base64
import os
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from postroom.database.engine import Database
from postroom.privacy.erasing import Eraser
from postroom.privacy.exporting import Exporter
from postroom.privacy.rounds import PersonRounds
from postroom.privacy.service import Privacy
from postroom.privacy.walking import Kind
from postroom.tenants.gate import Identity
from postroom.tenants.secrets import Seal
from postroom.timing import Timing
from tests.fixtures.database import Tenant
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import change, rows

SEAL = Seal.parse("test:" + base64.b64encode(os.urandom(32)).decode())


@dataclass(frozen=True, slots=True)
class Office:
    """Where people are exported and erased."""

    database: Database
    privacy: Privacy
    rounds: PersonRounds

    async def ask(self, tenant: Tenant, kind: Kind, user_id: str) -> UUID:
        """Ask for something to be done, as the API does."""
        identity = Identity(tenant.id, tenant.slug, tenant.id, frozenset())
        return (await self.privacy.ask(identity, kind, user_id, None)).job_id

    async def erase(self, tenant: Tenant, user_id: str) -> UUID:
        """Ask for an erasure and work until nothing is left to do now."""
        job = await self.ask(tenant, Kind.ERASURE, user_id)
        await self.rounds.round()
        return job

    async def export(self, tenant: Tenant, user_id: str) -> bytes:
        """Ask for an export, work, and fetch it."""
        job = await self.ask(tenant, Kind.EXPORT, user_id)
        await self.rounds.round()
        return await self.fetched(tenant, job)

    async def fetched(self, tenant: Tenant, job: UUID) -> bytes:
        """What an export told."""
        result = await self.privacy.fetch(tenant.id, job, None)
        return b"".join([piece async for piece in self.privacy.text(result)])

    async def job(self, job_id: UUID) -> dict[str, Any]:
        """The row of a job."""
        [row] = await rows(self.database, "SELECT * FROM person_jobs WHERE job_id = %s", job_id)
        return row

    async def again(self, job_id: UUID) -> None:
        """Work once more, as if the pause were over."""
        await change(self.database, "UPDATE person_jobs SET next_at = now() WHERE job_id = %s", job_id)
        await self.rounds.round()

    def paged(self, page: int) -> "Office":
        """The same with pages of another size."""
        eraser, exporter = replace(self.rounds.eraser, page=page), replace(self.rounds.exporter, page=page)
        return replace(self, rounds=replace(self.rounds, eraser=eraser, exporter=exporter))


@pytest.fixture
def office(database: Database) -> Office:
    rounds = PersonRounds(database, Timing(), Eraser(PEPPER), Exporter(PEPPER, SEAL))
    return Office(database, Privacy(database, PEPPER, SEAL), rounds)
