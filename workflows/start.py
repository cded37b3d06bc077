"""One call to the engine: starts a workflow, or signals the one that runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

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

from postroom.contracts.vocabulary import SearchAttribute
from postroom.relay.relay import EngineAway

# The SDK tries a call again for ten seconds; a poke is repeated from its row, so that nobody has to wait for that.
CALL_PATIENCE = timedelta(seconds=2)
POKE_PATIENCE = timedelta(seconds=4)

# The engine is there and says that the call itself is wrong; waiting for it would hide that.
OURS_TO_MEND = frozenset(
    {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}
)

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Start(Generic[E]):
    """What is to run, on what, and under which id; on which queue, how soon and for whom; and what its list shows."""

    run: Callable[[Any, E], Awaitable[Any]]
    errand: E
    id: str
    queue: str
    priority: int
    tenant_id: UUID
    named: Mapping[SearchAttribute, str]
    summary: str

    def terms(self) -> dict[str, Any]:
        """Spell it for the engine; a run that closed or was terminated is followed by a new one."""
        return {
            "id": self.id,
            "task_queue": self.queue,
            "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            "priority": turn(self.priority, self.tenant_id),
            "search_attributes": keywords(self.named),
            "static_summary": self.summary,
            "rpc_timeout": CALL_PATIENCE,
        }


async def start_or_leave(client: Client, one: Start[E]) -> None:
    """Start a run; one that is open is left alone."""
    policy = WorkflowIDConflictPolicy.USE_EXISTING
    async with answered():
        await client.start_workflow(one.run, one.errand, id_conflict_policy=policy, **one.terms())


async def start_or_signal(client: Client, one: Start[E], *, expected_new: bool = False) -> None:
    """Start a run, or signal the open one; either way someone looks, and nothing here is proof that someone did."""
    policy = WorkflowIDConflictPolicy.USE_EXISTING
    async with answered():
        if expected_new and await _begun(client, one):
            return
        # One call does both, so neither falls between them.
        await client.start_workflow(one.run, one.errand, start_signal="look", id_conflict_policy=policy, **one.terms())


async def _begun(client: Client, one: Start[E]) -> bool:
    """Start a run whose first task comes back with the answer, one hop less; False when a run is open.

    Where mostly there is none, it saves the engine a fifth of what such a run costs it.
    """
    policy = WorkflowIDConflictPolicy.FAIL
    try:
        await client.start_workflow(
            one.run, one.errand, request_eager_start=True, id_conflict_policy=policy, **one.terms()
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


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


def turn(priority: int, tenant_id: UUID) -> Priority:
    """How soon it is handed out, and fairly among tenants."""
    return Priority(priority_key=int(priority), fairness_key=str(tenant_id))


def keywords(named: Mapping[SearchAttribute, str]) -> TypedSearchAttributes:
    """What the list of workflows can be searched by."""
    return TypedSearchAttributes(
        [SearchAttributePair(SearchAttributeKey.for_keyword(key), value) for key, value in named.items()]
    )
