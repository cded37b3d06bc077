"""Whether a task may go over the services it names is said before it is launched."""

from collections.abc import Sequence
from uuid import UUID

from postroom.errors import Invalid
from postroom.identity import new_id
from postroom.sender_services.bindings import BindingAction, ServiceBindings
from postroom.sender_services.checking import check_services
from tests.fixtures.database import Tenants
from tests.sender_services.office import Office

FROM = "News <news@news.example.com>"
RELAY = "smtp://127.0.0.1"


async def refusal(office: Office, ids: Sequence[UUID] = (), sender: str = FROM) -> tuple[str, str] | None:
    """What is said against it, and where; None when it is fine."""
    async with office.database.tenant_transaction(office.tenant.id) as connection:
        try:
            await check_services(connection, (office.tenant.id, office.key_id), ids, sender)
        except Invalid as refused:
            return refused.code, refused.errors[0].pointer
    return None


async def test_a_tenant_without_services_is_fine(office: Office) -> None:
    assert await refusal(office) is None


async def test_a_service_of_nobody_or_of_another_tenant_is_not_there(office: Office, tenants: Tenants) -> None:
    strangers = Office(office.database, office.database_url, tenants.decoy)
    await strangers.settle_in()
    theirs, mine = await strangers.service(RELAY), await office.service(RELAY)
    for wrong in (theirs, new_id()):
        assert await refusal(office, [mine, wrong]) == ("sender_service_not_found", "/sender/services/1")


async def test_another_keys_service_is_not_there_either(office: Office) -> None:
    service_id = await office.service(RELAY)
    await ServiceBindings(office.database).change(
        office.tenant.id, await office.new_key(), [(service_id, BindingAction.ADD)]
    )
    assert await refusal(office, [service_id]) == ("sender_service_not_found", "/sender/services/0")
    assert await refusal(office) == ("no_sender_service", "/sender")


async def test_one_of_them_must_send_from_the_domain(office: Office) -> None:
    shop = await office.service(RELAY, from_domains=("shop.de",))
    assert await refusal(office, [shop]) == ("from_domain_not_allowed", "/sender/from")
    assert await refusal(office) == ("from_domain_not_allowed", "/sender/from")
    assert await refusal(office, [shop], "x@shop.de") is None
    anything = await office.service(RELAY)
    assert await refusal(office, [shop, anything]) is None
    assert await refusal(office) is None
