"""The workers of one process, queue by queue: which workflows and activities each takes, and how many at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.campaigns import CampaignActivities
from activities.carriers import CarrierActivities
from activities.contact_files import ContactFileActivities
from activities.digests import DigestActivities
from activities.passes import PassActivities
from activities.schedules import ScheduleActivities
from activities.sequences import SequenceActivities
from postroom.contracts.vocabulary import Carries, ChannelKind, Priority
from workflows.campaign import CampaignWorkflow
from workflows.contact_files import ContactExportWorkflow, ContactImportWorkflow
from workflows.digest import DigestWorkflow
from workflows.notification import NotificationWorkflow
from workflows.queues import CAMPAIGN, CONTACT_FILES, CRITICAL, DIGESTS, RECURRING, WORKFLOWS, send_queue
from workflows.runner import workflow_runner
from workflows.schedule import ScheduleWorkflow
from workflows.sequence import SequenceWorkflow

# Passes at once, by queue. Of those of tasks most wait for a berth: two of a tenant are at work.
SLOTS = {CAMPAIGN: 50, CRITICAL: 50} | {send_queue(kind, Priority.MEDIUM): 100 for kind in ChannelKind}
CLOSINGS_AT_ONCE = 4  # of digests, up to a page each
RUNS_AT_ONCE = 4  # of schedules, each of which writes a whole audience
FILES_AT_ONCE = 2  # of contacts, each a million rows perhaps
CACHED_WORKFLOWS = 2_000
# Few at once: what waits in the engine is handed out by priority, what waits in here is not.
WORKFLOW_TASKS = 8
HEARTBEAT_THROTTLE = timedelta(seconds=0.5)
# A killed worker's cached workflows wait this long for it before another one takes them; the SDK's 10 s are felt.
STICKY_PATIENCE = timedelta(seconds=2)

Activity = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Carrying:
    """The activities that carry messages."""

    looks: CarrierActivities
    passes: PassActivities
    tasks: CampaignActivities


def carriers_workers(client: Client, carrying: Carrying, drain: timedelta, carries: Carries) -> Sequence[Worker]:
    """One worker for the workflows of carriers and tasks, and one per queue of what this process carries."""
    workers = [_decisions(client, carrying, drain)]
    if carries is not Carries.CAMPAIGNS:
        workers += [_passes(client, queue, [carrying.passes.send_pass], drain) for queue in SLOTS if queue != CAMPAIGN]
    if carries is not Carries.NOTIFICATIONS:
        passes: list[Activity] = [carrying.tasks.freeze_audience, carrying.tasks.send_page, carrying.tasks.audit_task]
        workers.append(_passes(client, CAMPAIGN, passes, drain))
    return workers


def _decisions(client: Client, carrying: Carrying, drain: timedelta) -> Worker:
    """The worker for workflows, which every process has."""
    return Worker(
        client,
        task_queue=WORKFLOWS,
        workflows=[NotificationWorkflow, CampaignWorkflow],
        activities=[carrying.looks.look, carrying.tasks.look_at_task],
        **_thinking(drain),
    )


def _passes(client: Client, queue: str, passes: Sequence[Activity], drain: timedelta) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        activities=passes,
        max_concurrent_activities=SLOTS[queue],
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        graceful_shutdown_timeout=drain,
    )


def digests_worker(client: Client, digests: DigestActivities, drain: timedelta) -> Worker:
    """The worker that closes digests; few at once, each of which writes up to a page of them."""
    return Worker(
        client,
        task_queue=DIGESTS,
        workflows=[DigestWorkflow],
        activities=[digests.look_at_digests, digests.close_digests],
        max_concurrent_activities=CLOSINGS_AT_ONCE,
        **_thinking(drain),
    )


def recurring_worker(client: Client, runs: ScheduleActivities, steps: SequenceActivities, drain: timedelta) -> Worker:
    """The worker for what comes again."""
    return Worker(
        client,
        task_queue=RECURRING,
        workflows=[ScheduleWorkflow, SequenceWorkflow],
        activities=[runs.run_schedule, steps.advance],
        max_concurrent_activities=RUNS_AT_ONCE,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        **_thinking(drain),
    )


def files_worker(client: Client, files: ContactFileActivities, drain: timedelta) -> Worker:
    """The worker that reads and writes files of contacts."""
    return Worker(
        client,
        task_queue=CONTACT_FILES,
        workflows=[ContactImportWorkflow, ContactExportWorkflow],
        activities=[files.import_contacts, files.export_contacts],
        max_concurrent_activities=FILES_AT_ONCE,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        **_thinking(drain),
    )


def _thinking(drain: timedelta) -> dict[str, Any]:
    """How a worker runs workflows."""
    return {
        "workflow_runner": workflow_runner(),
        "max_cached_workflows": CACHED_WORKFLOWS,
        "max_concurrent_workflow_tasks": WORKFLOW_TASKS,
        "sticky_queue_schedule_to_start_timeout": STICKY_PATIENCE,
        "graceful_shutdown_timeout": drain,
    }
