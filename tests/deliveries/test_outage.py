"""A provider nobody can reach moves the time of its deliveries, costs no attempt, and is told once (decision 0011)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.contracts.carriers import Plan
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.notifications.control import Control
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.house import gather, outfit, pass_over, send
from tests.fixtures.rows import Draft, accepted, change, deliveries, notification, rows

TIMING = Timing()
WAIT = timedelta(seconds=5)


class ProviderAway:
    """Nobody answers, and one may try again in a while."""

    kind = ChannelKind.EMAIL

    def __init__(self) -> None:
        self.tries = 0

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:  # noqa: ARG002 - the protocol's signature
        """Say so, without a mark."""
        self.tries += 1
        return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable", "relay", retry_after=WAIT)

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:  # noqa: ARG002 - as above
        """Nothing was ever handed off."""
        return {}

    async def close(self) -> None:
        """Nothing is held open."""


class Outage:
    """One e-mail that is due while its provider is away."""

    def __init__(self, database: Database, tenant_id: UUID, notification_id: UUID) -> None:
        self.database, self.tenant_id, self.id = database, tenant_id, notification_id
        self.away = ProviderAway()

    @classmethod
    async def begun(cls, database: Database, tenant_id: UUID) -> "Outage":
        draft = Draft(tenant_id, channels=(ChannelKind.EMAIL,), metadata={"email": "ada@example.com"})
        outage = cls(database, tenant_id, await accepted(database, draft))
        await gather(database, TIMING, tenant_id)
        return outage

    async def run_pass(self) -> Plan:
        carrier = UUID(str((await notification(self.database, self.id))["carrier_id"]))
        worn = outfit(self.database, TIMING, {ChannelKind.EMAIL: self.away})
        return await send(worn, pass_over(self.tenant_id, carrier, ChannelKind.EMAIL))

    async def told(self) -> int:
        statement = "SELECT id FROM notification_events WHERE notification_id = %s AND kind = 'provider_outage'"
        return len(await rows(self.database, statement, self.id))


async def test_the_delivery_waits_and_the_notification_keeps_its_time(database: Database, tenants: Tenants) -> None:
    outage = await Outage.begun(database, tenants.alice.id)
    before = await notification(database, outage.id)
    plan = await outage.run_pass()
    assert plan.due == ()
    assert plan.wait is not None
    assert timedelta(0) < plan.wait <= WAIT
    [delivery] = await deliveries(database, outage.id)
    assert (delivery["state"], delivery["attempt"], delivery["reason"]) == ("pending", 0, "provider_unreachable")
    assert (await notification(database, outage.id))["due_at"] == before["due_at"]


async def test_send_now_tries_once_more_and_does_not_spin(database: Database, tenants: Tenants) -> None:
    outage = await Outage.begun(database, tenants.alice.id)
    await outage.run_pass()
    assert await Control(database, TIMING).send_now(tenants.alice.id, outage.id) == "due"
    plan = await outage.run_pass()
    assert outage.away.tries == 2
    assert (plan.due, bool(plan.wait)) == ((), True)


async def test_an_outage_is_told_once(database: Database, tenants: Tenants) -> None:
    outage = await Outage.begun(database, tenants.alice.id)
    for _ in range(3):
        await outage.run_pass()
        await change(database, "UPDATE deliveries SET not_before = now() WHERE notification_id = %s", outage.id)
    assert outage.away.tries == 3
    assert await outage.told() == 1
