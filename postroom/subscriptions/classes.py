"""The class of a message whose type is declared: found once for all that are accepted within seconds."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from postroom.contracts.vocabulary import MessageClass
from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.jobs.batch import Batch
from postroom.notifications.request import Draft, Request
from postroom.subscriptions.kind_repository import classes_of
from postroom.timing import Timing

MEMORY_SECONDS = 3.0  # a type that another process declared counts within so long; as a revoked key does
MEMORY_TENANTS = 1_000

Asked = TypeVar("Asked", Draft, Batch)
Known = Mapping[str, MessageClass]


class Classes:
    """Reads all types of a tenant in one statement and remembers them for a moment.

    What is remembered can be wrong in one way only: by not knowing, for seconds, a type that another process has just
    declared, or still knowing one that was deleted. The class of a type never changes.
    """

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._timing = timing
        self._memory: OrderedDict[UUID, tuple[float, Known]] = OrderedDict()

    async def settled(self, asked: Asked) -> Asked:
        """Give what was asked for the class of its type, and the life of that class; raises what `classed` does."""
        request = await self.classed(asked.tenant_id, asked.request)
        if request is asked.request:
            return asked
        return replace(asked, request=request, life=self._timing.life(request.message_class))

    async def classed(self, tenant_id: UUID, request: Request) -> Request:
        """Give a request the class of its type; one without a type, or with one nobody declared, keeps its own.

        Raises:
            Invalid: it names another class than its type has.
        """
        if request.notification_type is None:
            return request
        declared = (await self._known(tenant_id)).get(request.notification_type)
        if declared is None or declared is request.message_class:
            return request
        if request.names_class:
            detail = f"The type {request.notification_type} is {declared}; leave the class out."
            raise Invalid.at("/class", "class_conflicts_with_type", detail)
        return replace(request, message_class=declared)

    def forget(self, tenant_id: UUID) -> None:
        """Ask again: the types of this tenant were changed here."""
        self._memory.pop(tenant_id, None)

    async def _known(self, tenant_id: UUID) -> Known:
        remembered = self._memory.get(tenant_id)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        asked = time.monotonic()
        async with self._database.tenant_transaction(tenant_id) as connection:
            known = await classes_of(connection, tenant_id)
        self._memory.pop(tenant_id, None)
        self._memory[tenant_id] = (asked + MEMORY_SECONDS, known)
        if len(self._memory) > MEMORY_TENANTS:
            self._memory.popitem(last=False)
        return known
