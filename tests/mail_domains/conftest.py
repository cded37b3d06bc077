"""What the tests of mail domains share: a zone on this machine, and a shop whose domain is as it should be."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.database.engine import Database
from postroom.mail_domains.checking import Checks, Standing
from postroom.mail_domains.names import Names
from postroom.mail_domains.records import House, records_of
from postroom.mail_domains.service import MailDomains, NewDomain
from postroom.tenants.secrets import Seal
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.name_server import Zone, name_server

DOMAIN = "news.shop.example.com"
BOUNCES = "bounces.news.shop.example.com"
HOUSE = House("_spf.postroom.example", "mx.postroom.example")
PATIENT = replace(Timing(), dns_answer=timedelta(seconds=5), domain_look=timedelta(seconds=10))


@pytest.fixture
def zone() -> Zone:
    """What the house itself publishes."""
    opened = Zone()
    opened.texts("_spf.postroom.example", "v=spf1 ip4:192.0.2.0/24 ~all")
    opened.exchangers("shop.example.com", "10 mx.shop.example.com.")
    return opened


@pytest.fixture
async def servers(zone: Zone) -> AsyncIterator[str]:
    async with name_server(zone) as address:
        yield address


@pytest.fixture
def names(servers: str) -> Names:
    return Names(servers, PATIENT.dns_answer)


@pytest.fixture
def seal() -> Seal:
    return Seal({"test": bytes(32)})


@dataclass(frozen=True, slots=True)
class Shop:
    """Two tenants, what they publish, and how it is looked at."""

    database: Database
    seal: Seal
    domains: MailDomains
    checks: Checks
    zone: Zone
    servers: str
    tenants: Tenants

    async def declared(self, domain: str = DOMAIN, *, ed25519: bool = False) -> Standing:
        """Declare a domain of the tenant that acts."""
        return await declared(self.domains, self.tenants.alice.id, domain, ed25519=ed25519)

    async def check(self, standing: Standing) -> Standing:
        """Look at it now."""
        return await self.checks.check(standing.domain.tenant_id, standing.domain.id)

    def publish(self, standing: Standing) -> None:
        """Publish everything that is asked for."""
        publish(self.zone, standing)


@pytest.fixture
def shop(database: Database, seal: Seal, servers: str, zone: Zone, tenants: Tenants) -> Shop:  # noqa: PLR0913
    domains = MailDomains(database, seal, PATIENT)
    checks = Checks.asking(servers, HOUSE, database, PATIENT)
    return Shop(database, seal, domains, checks, zone, servers, tenants)


async def declared(domains: MailDomains, tenant_id: UUID, domain: str = DOMAIN, *, ed25519: bool = False) -> Standing:
    """Declare a domain that sends bounces below itself."""
    return await domains.add(tenant_id, NewDomain(domain, f"bounces.{domain}", ed25519=ed25519), None)


def publish(zone: Zone, standing: Standing) -> None:
    """Publish everything that is asked for, as a tenant would."""
    for record in records_of(standing.domain, standing.keys, HOUSE):
        if record.type == "TXT":
            zone.texts(record.name, record.value)
        else:
            zone.exchangers(record.name, f"{record.value}.")
    zone.exchangers(standing.domain.domain, "10 mx.shop.example.com.")
