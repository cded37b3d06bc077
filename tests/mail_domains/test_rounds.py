"""Domains are looked at again when their time has come, by one worker each."""

import asyncio

from postroom.database.engine import Database
from postroom.mail_domains.checking import Checks
from postroom.mail_domains.models import DomainState
from postroom.mail_domains.rounds import DomainRounds
from postroom.mail_domains.service import MailDomains
from postroom.tenants.secrets import Seal
from tests.fixtures.database import make_tenants
from tests.fixtures.name_server import Zone
from tests.fixtures.rows import change
from tests.mail_domains.conftest import HOUSE, PATIENT, declared, publish

DUE = "UPDATE mail_domains SET next_check_at = now() - interval '1 second' WHERE id = %s"


async def test_what_is_due_is_looked_at_once(fresh_database: Database, servers: str, zone: Zone, seal: Seal) -> None:
    tenants = await make_tenants(fresh_database)
    domains = MailDomains(fresh_database, seal, PATIENT)
    checks = Checks.asking(servers, HOUSE, fresh_database, PATIENT)
    rounds = [DomainRounds(fresh_database, checks, PATIENT) for _ in range(3)]
    made = [
        (one.id, (await declared(domains, one.id, f"{name}.example.com")).domain.id)
        for one, name in ((tenants.alice, "due"), (tenants.decoy, "due-too"), (tenants.alice, "later"))
    ]
    for tenant_id, domain_id in made[:2]:
        publish(zone, await domains.get(tenant_id, domain_id))
        await change(fresh_database, DUE, domain_id)

    assert sum(await asyncio.gather(*(one.round() for one in rounds))) == 2
    states = [(await domains.get(*one)).domain.state for one in made]
    assert states == [DomainState.READY, DomainState.READY, DomainState.UNVERIFIED]
    assert await rounds[0].round() == 0


async def test_one_that_is_deleted_meanwhile_stops_nobody(
    fresh_database: Database, servers: str, zone: Zone, seal: Seal
) -> None:
    tenants = await make_tenants(fresh_database)
    domains = MailDomains(fresh_database, seal, PATIENT)
    gone, kept = [await declared(domains, tenants.alice.id, f"{name}.example.com") for name in ("gone", "kept")]
    publish(zone, kept)

    class Late(Checks):
        """Looks at the first one when it is gone."""

        async def check(self, tenant_id, domain_id):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if domain_id == gone.domain.id:
                await domains.remove(tenant_id, domain_id)
            return await super().check(tenant_id, domain_id)

    for one in (gone, kept):
        await change(fresh_database, DUE, one.domain.id)
    late = Late.asking(servers, HOUSE, fresh_database, PATIENT)
    assert await DomainRounds(fresh_database, late, PATIENT).round() == 2
    assert (await domains.get(tenants.alice.id, kept.domain.id)).domain.state == DomainState.READY


async def test_one_that_cannot_be_looked_at_stops_nobody(
    fresh_database: Database, servers: str, zone: Zone, seal: Seal
) -> None:
    tenants = await make_tenants(fresh_database)
    domains = MailDomains(fresh_database, seal, PATIENT)
    bad, kept = [await declared(domains, tenants.alice.id, f"{name}.example.com") for name in ("bad", "kept")]
    publish(zone, kept)

    class Failing(Checks):
        """Breaks at the first one."""

        async def check(self, tenant_id, domain_id):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if domain_id == bad.domain.id:
                raise ValueError("a record nobody has thought of")
            return await super().check(tenant_id, domain_id)

    for one in (bad, kept):
        await change(fresh_database, DUE, one.domain.id)
    failing = Failing.asking(servers, HOUSE, fresh_database, PATIENT)
    assert await DomainRounds(fresh_database, failing, PATIENT).round() == 2
    assert (await domains.get(tenants.alice.id, kept.domain.id)).domain.state == DomainState.READY
