"""The shapes a carrier's life can take, each played once on a real server so that its history can be kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client, WorkflowHandle

from postroom.channels.base import Answer, Channel, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.notifications.control import Control
from postroom.relay.sweeping import sweep
from postroom.timing import Timing
from tests.fixtures.engine import Running, running
from tests.fixtures.rows import Draft, accepted, change, rows

TIMING = replace(Timing(), retry_first=timedelta(seconds=1))
PATIENCE = 30
FAR = timedelta(days=2)

CARRIER = "SELECT c.* FROM carriers c JOIN notifications n ON n.carrier_id = c.id WHERE n.id = %s"

Runs = dict[str, WorkflowHandle[object, object]]


class ScriptedChannel:
    """Gives the answers of a script, each after its mark; then accepts."""

    kind = ChannelKind.EMAIL

    def __init__(self, *verdicts: Verdict) -> None:
        self._verdicts: Iterator[Verdict] = iter(verdicts)

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        """Mark and answer."""
        assert await mark(parcel.message or b"a message", "relay")
        return Answer(next(self._verdicts, Verdict.ACCEPTED), Phase.ANSWER, "scripted", "relay")

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        """Nothing is ever in doubt here."""
        return dict.fromkeys((suspect.delivery_id for suspect in suspects), Evidence.SILENT)

    async def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a shape is played: one notification, the workers, and what the rows say."""

    database: Database
    tenant_id: UUID
    notification_id: UUID
    house: Running

    async def carrier(self) -> dict[str, object]:
        """The row of the carrier."""
        return (await rows(self.database, CARRIER, self.notification_id))[0]

    async def handle(self) -> WorkflowHandle[object, object]:
        """The run that is open, or the last one, named by its run id."""
        latest = self.house.client.get_workflow_handle(str((await self.carrier())["workflow_id"]))
        return self.house.client.get_workflow_handle(latest.id, run_id=(await latest.describe()).run_id)

    async def send_now(self) -> None:
        """Ask for it now, and poke."""
        await Control(self.database, TIMING).send_now(self.tenant_id, self.notification_id)
        await self.house.hand_over()

    async def looked(self) -> None:
        """Wait until the workflow has paid its wake-up."""
        async with asyncio.timeout(PATIENCE):
            while (await self.carrier())["owed"]:  # noqa: ASYNC110 - a row has no event
                await asyncio.sleep(0.02)

    async def sent(self) -> WorkflowHandle[object, object]:
        """Wait until the notification is sent; returns the run that sent it."""
        last = await self.handle()
        assert await last.result() == {"sent": 1}
        return last


@asynccontextmanager
async def staged(engine: Client, database: Database, draft: Draft, *verdicts: Verdict) -> AsyncIterator[Stage]:
    """Accept one notification, start the workers and hand it over."""
    email: Channel = ScriptedChannel(*verdicts)
    one = await accepted(database, draft)
    async with running(engine, database, TIMING, {ChannelKind.EMAIL: email}) as house:
        await house.hand_over()
        yield Stage(database, draft.tenant_id, one, house)


def by_mail(tenant_id: UUID, delay: timedelta = timedelta(0), *more: ChannelKind) -> Draft:
    """A notification over e-mail, or over e-mail first."""
    return Draft(
        tenant_id,
        user_id="ada-lovelace",
        channels=(ChannelKind.EMAIL, *more),
        delay=delay,
        metadata={"email": "ada@example.com"},
    )


async def sent_at_once(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Due, sent, closed: one activity."""
    async with staged(engine, database, by_mail(tenant_id)) as stage:
        return {"sent_at_once": await stage.sent()}


async def scheduled(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Waits for its time on a timer, then goes."""
    async with staged(engine, database, by_mail(tenant_id, timedelta(seconds=2))) as stage:
        return {"scheduled": await stage.sent()}


async def retried(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Refused for now, waits for its second attempt in the same carrier."""
    async with staged(engine, database, by_mail(tenant_id), Verdict.DEFERRED) as stage:
        return {"retried": await stage.sent()}


async def fell_back(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Refused for good, goes over the next channel."""
    draft = by_mail(tenant_id, timedelta(0), ChannelKind.IN_APP)
    async with staged(engine, database, draft, Verdict.REJECTED) as stage:
        return {"fell_back": await stage.sent()}


async def hurried(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """A signal ends the wait of a schedule."""
    async with staged(engine, database, by_mail(tenant_id, FAR)) as stage:
        await stage.looked()
        await stage.send_now()
        return {"hurried": await stage.sent()}


async def terminated(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Ended by an operator while it waits; the watchdog has it carried by a second run."""
    async with staged(engine, database, by_mail(tenant_id, FAR)) as stage:
        await stage.looked()
        first = await stage.handle()
        await first.terminate("by hand")
        await change(database, "UPDATE notifications SET due_at = now() WHERE id = %s", stage.notification_id)
        carrier = (await stage.carrier())["id"]
        await change(database, "UPDATE carriers SET wake_by = now() - interval '1 s' WHERE id = %s", carrier)
        await sweep(database)
        await stage.house.hand_over()
        return {"terminated": first, "carried_again": await stage.sent()}


async def continued(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Poked until its history is long, continues as a new run; the server must suggest it early."""
    async with staged(engine, database, by_mail(tenant_id, FAR)) as stage:
        await stage.looked()
        first = await stage.handle()
        async with asyncio.timeout(PATIENCE):
            while (await stage.handle()).run_id == first.run_id:
                await first.signal("look")
                await asyncio.sleep(0.1)
        await stage.send_now()
        return {"grown_long": first, "continued": await stage.sent()}


SUGGEST_EARLY = {"limit.historyCount.suggestContinueAsNew": "20"}
SHAPES: Sequence[Callable[[Client, Database, UUID], Awaitable[Runs]]] = (
    sent_at_once,
    scheduled,
    retried,
    fell_back,
    hurried,
    terminated,
)
LONG_SHAPES: Sequence[Callable[[Client, Database, UUID], Awaitable[Runs]]] = (continued,)
