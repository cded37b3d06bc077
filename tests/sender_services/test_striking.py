"""Whoever is erased is not written to any more when a service freezes."""

from postroom.sender_services.striking import strike_operator
from tests.fixtures.database import Tenants
from tests.sender_services.office import Office


async def test_an_erased_operator_is_struck_from_the_services_of_the_tenant(office: Office, tenants: Tenants) -> None:
    named = {"alert_user_ids": ("ada", "grace")}
    service_id = await office.service("smtp://127.0.0.1", **named)
    strangers = Office(office.database, office.database_url, tenants.decoy)
    await strangers.settle_in()
    theirs = await strangers.service("smtp://127.0.0.1", **named)
    async with office.database.system_transaction() as connection:
        await strike_operator(connection, {"tenant_id": office.tenant.id, "user_id": "ada"})
    assert (await office.row(service_id))["alert_user_ids"] == ["grace"]
    assert (await office.row(theirs))["alert_user_ids"] == ["ada", "grace"]
