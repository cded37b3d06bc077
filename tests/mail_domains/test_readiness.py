"""A bulk send leaves only from a domain that is ready, where the tenant or the deployment wants that."""

import pytest

from postroom.database.engine import Database
from postroom.errors import Conflict
from postroom.mail_domains.readiness import check_ready
from tests.fixtures.database import Tenant
from tests.mail_domains.conftest import DOMAIN, Shop, declared

SENDER = f"Shop <news@{DOMAIN}>"
REFUSED = "domain_not_ready"


async def refused(database: Database, tenant: Tenant, sender: str = SENDER, *, required: bool = False) -> list[str]:
    """Codes of the findings that a launch is refused for; none when it may go."""
    async with database.tenant_transaction(tenant.id) as connection:
        try:
            await check_ready(connection, tenant.id, sender, required=required)
        except Conflict as error:
            return [error.code, *sorted(one.code for one in error.errors)]
    return []


async def test_who_has_declared_nothing_is_free_unless_the_house_asks(shop: Shop) -> None:
    await declared(shop.domains, shop.tenants.decoy.id)
    assert await refused(shop.database, shop.tenants.alice) == []
    assert await refused(shop.database, shop.tenants.alice, required=True) == [REFUSED, "domain_not_declared"]


async def test_what_is_declared_must_be_ready(shop: Shop) -> None:
    made = await shop.declared()
    assert await refused(shop.database, shop.tenants.alice) == [REFUSED, "domain_not_checked"]
    await shop.check(made)
    missing = [REFUSED, "bounce_mx_missing", "dkim_key_missing", "dmarc_missing", "spf_missing"]
    assert await refused(shop.database, shop.tenants.alice) == missing
    shop.publish(made)
    await shop.check(made)
    assert await refused(shop.database, shop.tenants.alice) == []
    assert await refused(shop.database, shop.tenants.alice, f"news@{DOMAIN}", required=True) == []
    assert await refused(shop.database, shop.tenants.alice, "news@other.example.com") == [
        REFUSED,
        "domain_not_declared",
    ]
    await declared(shop.domains, shop.tenants.decoy.id)
    assert await refused(shop.database, shop.tenants.decoy) == [REFUSED, "domain_not_checked"]


@pytest.mark.parametrize("required", [True, False])
async def test_another_tenants_readiness_is_not_mine(shop: Shop, *, required: bool) -> None:
    theirs = await declared(shop.domains, shop.tenants.decoy.id)
    shop.publish(theirs)
    await shop.check(theirs)
    assert await refused(shop.database, shop.tenants.decoy, required=required) == []
    await shop.declared("mine.example.com")
    assert await refused(shop.database, shop.tenants.alice, required=required) == [REFUSED, "domain_not_declared"]
