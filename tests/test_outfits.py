"""What messages are sent with: ordinary and critical ones keep one account of what a provider takes."""

from contextlib import AsyncExitStack
from dataclasses import replace
from uuid import uuid4

from pydantic import SecretStr

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Role
from postroom.deliveries.handing import Tally
from postroom.deliveries.sending import Sender
from postroom.outfits import outfits_for
from postroom.rendering.renderer import Renderer
from postroom.resources import open_resources
from postroom.settings import Settings
from tests.fixtures.database import make_tenants
from tests.fixtures.house import gather, pass_over
from tests.fixtures.rows import Draft, accepted, rows
from tests.fixtures.sink import Sink

CONNECTIONS = {Role.APP: 4, Role.SYSTEM: 2, Role.LEDGER: 2}


async def test_the_limits_of_the_deployment_hold_over_critical_and_ordinary_mail(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(Sink.open())
        url = SecretStr(f"smtp://127.0.0.1:{sink.port}?per_day=3&name=relay-{uuid4().hex}")
        own = settings.model_copy(update={"smtp_url": url})
        resources = await stack.enter_async_context(open_resources(own, CONNECTIONS))
        for outfit in outfits_for(resources, stack, Renderer(1))[:2]:
            sender = Sender(outfit)
            tenant = (await make_tenants(resources.database)).alice
            draft = Draft(tenant.id, channels=(ChannelKind.EMAIL,), metadata={"email": "ok@example.org"})
            for _ in range(2):
                await accepted(resources.database, replace(draft, priority=1))
            await gather(resources.database, resources.timing, tenant.id, alone=0)
            [row] = await rows(resources.database, "SELECT id FROM carriers WHERE tenant_id = %s", tenant.id)
            await sender.send(pass_over(tenant.id, row["id"], ChannelKind.EMAIL), Tally(), lambda: False)
        assert len(sink.accepted) == 3
