"""Starts the workflow of a bulk send, or signals the one that runs."""

from collections.abc import Awaitable, Callable

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from postroom.campaigns.poking import TaskPoke
from postroom.contracts.campaigns import TaskErrand
from postroom.contracts.vocabulary import SearchAttribute
from postroom.identity import CAMPAIGN, public_id
from postroom.timing import Timing
from workflows.campaign import CampaignWorkflow
from workflows.queues import WORKFLOWS
from workflows.start import CALL_PATIENCE, CHANNEL, TENANT, answered

IN_CAMPAIGN = SearchAttributeKey.for_keyword(SearchAttribute.CAMPAIGN)
PRIORITY = 5  # behind every single message


def task_starter(client: Client, timing: Timing, window: int) -> Callable[[TaskPoke], Awaitable[None]]:
    """Return the function the poker of tasks pokes with.

    A run that is open gets the signal; one that closed or was terminated is followed by a new one.
    """

    async def start(poke: TaskPoke) -> None:
        async with answered():
            await client.start_workflow(
                CampaignWorkflow.run,
                TaskErrand(poke.tenant_id, poke.id, timing.heartbeat_patience, timing.pass_patience, window),
                id=poke.workflow_id,
                task_queue=WORKFLOWS,
                start_signal="look",
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                priority=Priority(priority_key=PRIORITY, fairness_key=str(poke.tenant_id)),
                search_attributes=_attributes(poke),
                static_summary=f"bulk send over {poke.channel}",
                rpc_timeout=CALL_PATIENCE,
            )

    return start


def _attributes(poke: TaskPoke) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(TENANT, poke.slug),
            SearchAttributePair(CHANNEL, poke.channel),
            SearchAttributePair(IN_CAMPAIGN, public_id(CAMPAIGN, poke.campaign_id)),
        ]
    )
