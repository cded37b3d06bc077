"""Whoever is erased is not written to any more when a service freezes."""

from postroom.sender_services.striking import strike_operator
from tests.fixtures.database import Tenants
from tests.sender_services.office import Office


async def test_an_erased_operator_is_struck_from_the_services_of_the_tenant(office: Office, tenants: Tenants) -> None:
    named = {"alert_user_ids": ("ada", "grace"), "alert_addresses": ("Ada@shop.de", "duty@shop.de")}
    service_id = await office.service("smtp://127.0.0.1", **named)
    strangers = Office(office.database, office.database_url, tenants.decoy)
    await strangers.settle_in()
    theirs = await strangers.service("smtp://127.0.0.1", **named)
    async with office.database.system_transaction() as connection:
        await strike_operator(connection, {"tenant_id": office.tenant.id, "user_id": "ada"}, ["ada@shop.de"])
    row, kept = await office.row(service_id), await office.row(theirs)
    assert (row["alert_user_ids"], row["alert_addresses"]) == (["grace"], ["duty@shop.de"])
    assert (kept["alert_user_ids"], kept["alert_addresses"]) == (["ada", "grace"], ["Ada@shop.de", "duty@shop.de"])


async def test_an_address_alone_is_struck_too(office: Office) -> None:
    service_id = await office.service("smtp://127.0.0.1", alert_addresses=("ada@shop.de", "duty@shop.de"))
    async with office.database.system_transaction() as connection:
        await strike_operator(connection, {"tenant_id": office.tenant.id, "user_id": "ada"}, ["ada@shop.de"])
    assert (await office.row(service_id))["alert_addresses"] == ["duty@shop.de"]
