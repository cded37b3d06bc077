"""Starts the workflow of a carrier, or signals the one that runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from postroom.carriers.poking import Poke
from postroom.contracts.carriers import Errand
from postroom.contracts.vocabulary import ChannelKind, SearchAttribute
from postroom.contracts.vocabulary import Priority as Urgency
from postroom.relay.relay import EngineAway
from postroom.timing import Timing
from workflows.notification import NotificationWorkflow
from workflows.queues import WORKFLOWS

TENANT = SearchAttributeKey.for_keyword(SearchAttribute.TENANT)
CHANNEL = SearchAttributeKey.for_keyword(SearchAttribute.CHANNEL)
PRIORITY = SearchAttributeKey.for_keyword(SearchAttribute.PRIORITY)

# The SDK tries a call again for ten seconds; a poke is repeated from its row, so that nobody has to wait for that.
CALL_PATIENCE = timedelta(seconds=2)
POKE_PATIENCE = timedelta(seconds=4)

# The engine is there and says that the call itself is wrong; waiting for it would hide that.
OURS_TO_MEND = frozenset(
    {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}
)


def starter(client: Client, timing: Timing) -> Callable[[Poke], Awaitable[None]]:
    """Return the function the relay pokes with.

    A run that is open gets the signal; one that closed or was terminated is followed by a new one. Either way someone
    looks, and nothing here is proof that someone did.
    """

    async def start(poke: Poke) -> None:
        async with answered():
            if poke.pokes > 1 or not await _begun(client, poke, timing):
                await _started_or_signalled(client, poke, timing)

    return start


@asynccontextmanager
async def answered() -> AsyncIterator[None]:
    """Give a call to the engine its time.

    Raises:
        EngineAway: it did not answer; whatever it says against the call itself is raised as it is.
    """
    try:
        async with asyncio.timeout(POKE_PATIENCE.total_seconds()):
            yield
    except RPCError as error:
        if error.status in OURS_TO_MEND:
            raise
        raise EngineAway from error
    except (RuntimeError, TimeoutError) as error:
        raise EngineAway from error


async def _begun(client: Client, poke: Poke, timing: Timing) -> bool:
    """Start a run whose first task comes back with the answer, one hop less; False when a run is open.

    Mostly the first poke of a carrier finds none: it saves the engine a fifth of what such a run costs it.
    """
    try:
        await client.start_workflow(
            NotificationWorkflow.run,
            errand_for(poke, timing),
            request_eager_start=True,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            **_terms(poke),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


async def _started_or_signalled(client: Client, poke: Poke, timing: Timing) -> None:
    """Signal the run that is open, or start one: one call does both, so neither falls between them."""
    await client.start_workflow(
        NotificationWorkflow.run,
        errand_for(poke, timing),
        start_signal="look",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        **_terms(poke),
    )


def _terms(poke: Poke) -> dict[str, Any]:
    return {
        "id": poke.workflow_id,
        "task_queue": WORKFLOWS,
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "priority": Priority(priority_key=poke.priority, fairness_key=str(poke.tenant_id)),
        "search_attributes": _attributes(poke),
        "static_summary": summary(poke),
        "rpc_timeout": CALL_PATIENCE,
    }


def errand_for(poke: Poke, timing: Timing) -> Errand:
    """The workflow's input; a carrier whose rows still wait looks first."""
    waits = poke.kind == "wake"
    return Errand(
        tenant_id=poke.tenant_id,
        carrier_id=poke.id,
        priority=Urgency(poke.priority),
        heartbeat=timing.heartbeat_patience,
        patience=timing.pass_patience,
        first=None if waits else ChannelKind(poke.channel),
    )


def summary(poke: Poke) -> str:
    """One line for the list of workflows: `email, high priority` or `320 over email, low priority`."""
    what = poke.channel if poke.size == 1 else f"{poke.size} over {poke.channel}"
    return f"{what}, {Urgency(poke.priority).label} priority"


def _attributes(poke: Poke) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(TENANT, poke.slug),
            SearchAttributePair(CHANNEL, poke.channel),
            SearchAttributePair(PRIORITY, Urgency(poke.priority).label),
        ]
    )
