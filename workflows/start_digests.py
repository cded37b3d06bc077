"""Starts the workflow that closes digests, or signals the one that runs."""

from collections.abc import Awaitable, Callable

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from postroom.contracts.digests import DigestErrand
from postroom.contracts.vocabulary import Priority as Urgency
from postroom.digests.poking import ClosingPoke
from postroom.timing import Timing
from workflows.digest import DigestWorkflow
from workflows.queues import DIGESTS
from workflows.start import CALL_PATIENCE, CHANNEL, TENANT, answered


def digest_starter(client: Client, timing: Timing) -> Callable[[ClosingPoke], Awaitable[None]]:
    """Return the function the poker of digests pokes with.

    A run that is open gets the signal; one that closed or was terminated is followed by a new one.
    """

    async def start(poke: ClosingPoke) -> None:
        async with answered():
            await client.start_workflow(
                DigestWorkflow.run,
                DigestErrand(poke.tenant_id, poke.id, timing.heartbeat_patience, timing.digest_patience),
                id=poke.workflow_id,
                task_queue=DIGESTS,
                start_signal="look",
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                priority=Priority(priority_key=Urgency.MEDIUM, fairness_key=str(poke.tenant_id)),
                search_attributes=_attributes(poke),
                static_summary=summary(poke),
                rpc_timeout=CALL_PATIENCE,
            )

    return start


def summary(poke: ClosingPoke) -> str:
    """One line for the list of workflows: `digest over email`, `320 digests over email`."""
    return f"digest over {poke.channel}" if poke.kind == "alone" else f"{poke.size} digests over {poke.channel}"


def _attributes(poke: ClosingPoke) -> TypedSearchAttributes:
    return TypedSearchAttributes([SearchAttributePair(TENANT, poke.slug), SearchAttributePair(CHANNEL, poke.channel)])
