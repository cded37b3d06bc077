"""The class of a message whose type is declared: found once for all that are accepted within seconds."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from postroom.contracts.vocabulary import MessageClass
from postroom.database.engine import Database
from postroom.errors import Invalid, Unavailable
from postroom.jobs.batch import Batch
from postroom.notifications.request import Draft, Request
from postroom.subscriptions.kind_repository import classes_of
from postroom.timing import Timing

MEMORY_SECONDS = 3.0  # a type that another process declared counts within so long; as a revoked key does
MEMORY_TENANTS = 1_000
READING_SECONDS = 5.0

Asked = TypeVar("Asked", Draft, Batch)
Known = Mapping[str, MessageClass]


class Classes:
    """Reads all types of a tenant in one statement for all who ask meanwhile, and remembers them for a moment.

    What is remembered can be wrong in one way only: by not knowing, for seconds, a type that another process has just
    declared, or still knowing one that was deleted. The class of a type never changes.
    """

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._timing = timing
        self._readings: dict[UUID, asyncio.Task[Known]] = {}
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
            Unavailable: the database did not say in time.
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
        self._readings.pop(tenant_id, None)

    async def _known(self, tenant_id: UUID) -> Known:
        remembered = self._memory.get(tenant_id)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        reading = self._readings.get(tenant_id)
        if reading is None:
            reading = self._readings[tenant_id] = asyncio.create_task(self._read(tenant_id))
            reading.add_done_callback(lambda done: self._over(tenant_id, done))
        done, _ = await asyncio.wait({reading}, timeout=READING_SECONDS)
        if not done:
            raise Unavailable("The database did not answer; nothing was done.", retry_after=5)
        return reading.result()

    async def _read(self, tenant_id: UUID) -> Known:
        asked = time.monotonic()
        async with self._database.tenant_transaction(tenant_id) as connection:
            known = await classes_of(connection, tenant_id)
        if self._readings.get(tenant_id) is not asyncio.current_task():
            return known  # the types were changed while they were read
        self._memory.pop(tenant_id, None)
        self._memory[tenant_id] = (asked + MEMORY_SECONDS, known)
        if len(self._memory) > MEMORY_TENANTS:
            self._memory.popitem(last=False)
        return known

    def _over(self, tenant_id: UUID, reading: asyncio.Task[Known]) -> None:
        if self._readings.get(tenant_id) is reading:
            del self._readings[tenant_id]
        _ = reading.cancelled() or reading.exception()  # whoever waited has it; nobody may have
