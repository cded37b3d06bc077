"""How each workflow is started, or told to look: one function each, for the loops that find rows which are owed it."""

from collections.abc import Awaitable, Callable

from temporalio.client import Client

from postroom.campaigns.sending.poking import TaskPoke
from postroom.carriers.poking import Poke
from postroom.contact_files.models import FileKind
from postroom.contact_files.poking import FilePoke
from postroom.contracts.campaigns import TaskErrand
from postroom.contracts.carriers import Errand
from postroom.contracts.contact_files import FileErrand
from postroom.contracts.digests import DigestErrand
from postroom.contracts.recurring import Enrolment, Firing
from postroom.contracts.vocabulary import ChannelKind, Priority, SearchAttribute
from postroom.digests.poking import ClosingPoke
from postroom.identity import CAMPAIGN, enrolment_workflow_id, public_id, schedule_workflow_id
from postroom.schedules.keeping import RunPoke
from postroom.sequences.poking import EnrolmentPoke
from postroom.timing import Timing
from workflows.campaign import CampaignWorkflow
from workflows.contact_files import ContactExportWorkflow, ContactImportWorkflow
from workflows.digest import DigestWorkflow
from workflows.notification import NotificationWorkflow
from workflows.queues import CONTACT_FILES, DIGESTS, RECURRING, WORKFLOWS
from workflows.schedule import ScheduleWorkflow
from workflows.sequence import SequenceWorkflow
from workflows.start import Start, start_or_leave, start_or_signal

BEHIND_ALL = 5  # bulk sends come after every single message


def carrier_starter(client: Client, timing: Timing) -> Callable[[Poke], Awaitable[None]]:
    """For the relay: carriers that must look. Mostly the first poke of one finds no run."""

    async def start(poke: Poke) -> None:
        urgency = Priority(poke.priority)
        one = Start(
            run=NotificationWorkflow.run,
            errand=errand_for(poke, timing),
            id=poke.workflow_id,
            queue=WORKFLOWS,
            priority=urgency,
            tenant_id=poke.tenant_id,
            named={
                SearchAttribute.TENANT: poke.slug,
                SearchAttribute.CHANNEL: poke.channel,
                SearchAttribute.PRIORITY: urgency.label,
            },
            summary=f"{_counted(poke)}, {urgency.label} priority",
        )
        await start_or_signal(client, one, expected_new=poke.pokes <= 1)

    return start


def errand_for(poke: Poke, timing: Timing) -> Errand:
    """The input of a carrier's workflow; a carrier whose rows still wait looks first."""
    waits = poke.kind == "wake"
    return Errand(
        tenant_id=poke.tenant_id,
        carrier_id=poke.id,
        priority=Priority(poke.priority),
        heartbeat=timing.heartbeat_patience,
        patience=timing.pass_patience,
        first=None if waits else ChannelKind(poke.channel),
    )


def _counted(poke: Poke) -> str:
    return poke.channel if poke.size == 1 else f"{poke.size} over {poke.channel}"


def task_starter(client: Client, timing: Timing, window: int) -> Callable[[TaskPoke], Awaitable[None]]:
    """For the poker of tasks: bulk sends that must look."""

    async def start(poke: TaskPoke) -> None:
        one = Start(
            run=CampaignWorkflow.run,
            errand=TaskErrand(poke.tenant_id, poke.id, timing.heartbeat_patience, timing.pass_patience, window),
            id=poke.workflow_id,
            queue=WORKFLOWS,
            priority=BEHIND_ALL,
            tenant_id=poke.tenant_id,
            named={
                SearchAttribute.TENANT: poke.slug,
                SearchAttribute.CHANNEL: poke.channel,
                SearchAttribute.CAMPAIGN: public_id(CAMPAIGN, poke.campaign_id),
            },
            summary=f"bulk send over {poke.channel}",
        )
        await start_or_signal(client, one)

    return start


def digest_starter(client: Client, timing: Timing) -> Callable[[ClosingPoke], Awaitable[None]]:
    """For the poker of digests: one that closes, or many at one instant."""

    async def start(poke: ClosingPoke) -> None:
        one = Start(
            run=DigestWorkflow.run,
            errand=DigestErrand(poke.tenant_id, poke.id, timing.heartbeat_patience, timing.digest_patience),
            id=poke.workflow_id,
            queue=DIGESTS,
            priority=Priority.MEDIUM,
            tenant_id=poke.tenant_id,
            named={SearchAttribute.TENANT: poke.slug, SearchAttribute.CHANNEL: poke.channel},
            summary=f"{'digest' if poke.kind == 'alone' else f'{poke.size} digests'} over {poke.channel}",
        )
        await start_or_signal(client, one)

    return start


def run_starter(client: Client) -> Callable[[RunPoke], Awaitable[None]]:
    """For the keeper of schedules: runs that a person triggered, or that their workflow left lying."""

    async def start(poke: RunPoke) -> None:
        one = Start(
            run=ScheduleWorkflow.run,
            errand=Firing(poke.tenant_id, poke.schedule_id, poke.id),
            id=schedule_workflow_id(poke.slug, poke.schedule_id, poke.id),
            queue=RECURRING,
            priority=Priority.LOW,
            tenant_id=poke.tenant_id,
            named={SearchAttribute.TENANT: poke.slug},
            summary="a run of a schedule",
        )
        await start_or_leave(client, one)

    return start


def enrolment_starter(client: Client) -> Callable[[EnrolmentPoke], Awaitable[None]]:
    """For the poker of sequences: people whose next step must be looked at."""

    async def start(poke: EnrolmentPoke) -> None:
        one = Start(
            run=SequenceWorkflow.run,
            errand=Enrolment(poke.tenant_id, poke.id),
            id=enrolment_workflow_id(poke.slug, poke.id),
            queue=RECURRING,
            priority=Priority.LOW,
            tenant_id=poke.tenant_id,
            named={SearchAttribute.TENANT: poke.slug},
            summary="one person in a sequence",
        )
        await start_or_signal(client, one)

    return start


def file_starter(client: Client) -> Callable[[FilePoke], Awaitable[None]]:
    """For the poker of files of contacts: those to be read or written."""

    async def start(poke: FilePoke) -> None:
        imports = poke.kind == FileKind.IMPORT
        one = Start(
            run=ContactImportWorkflow.run if imports else ContactExportWorkflow.run,
            errand=FileErrand(poke.tenant_id, poke.job_id),
            id=poke.workflow_id,
            queue=CONTACT_FILES,
            priority=Priority.LOW,
            tenant_id=poke.tenant_id,
            named={SearchAttribute.TENANT: poke.slug},
            summary="an import of contacts" if imports else "an export of contacts",
        )
        await start_or_leave(client, one)

    return start
