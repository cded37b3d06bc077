"""Sequences as the API reads and writes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from postroom.database.engine import Database
from postroom.errors import Invalid, NotFound
from postroom.identity import TEMPLATE, new_id, public_id
from postroom.notifications.naming import made_before
from postroom.notifications.request import IdempotencyKey
from postroom.paging import Page
from postroom.schedules.references import check_names
from postroom.sequences import repository
from postroom.sequences.course import Course, Step
from postroom.sequences.models import Sequence as SequenceRow
from postroom.sequences.models import SequenceState
from postroom.templates.sets import found_set

MOST = 500  # sequences of one tenant


@dataclass(frozen=True, slots=True)
class Plan:
    """A sequence as asked for: its steps are there, or are the entries of `template_set`."""

    name: str
    course: Course
    stop_on: Sequence[str]
    template_set: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A sequence with what it says now; `replayed` when an earlier request made it."""

    sequence: SequenceRow
    course: Course
    stop_on: Sequence[str]
    replayed: bool = False


class Sequences:
    """Sequences of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tenant_id: UUID, plan: Plan, key: IdempotencyKey | None) -> Written:
        """Make a sequence.

        Raises:
            Invalid: it could not be carried, or the tenant has enough of them.
        """
        plan, sequence_id = await self._checked(tenant_id, plan), new_id()
        async with self._database.tenant_session(tenant_id) as session:
            if earlier := await made_before(session, tenant_id, key, sequence_id):
                return replace(await written(session, earlier), replayed=True)
            if await repository.count(session, tenant_id) >= MOST:
                raise Invalid(f"A tenant has at most {MOST} sequences.", code="too_many_sequences")
            await repository.add(session, {"id": sequence_id, "tenant_id": tenant_id, "name": plan.name})
            await repository.add_version(session, _version(tenant_id, (sequence_id, 1), plan))
            return await written(session, sequence_id)

    async def get(self, tenant_id: UUID, sequence_id: UUID) -> Written:
        """Return a sequence or raise NotFound."""
        async with self._database.tenant_session(tenant_id) as session:
            return await written(session, sequence_id)

    async def page(self, tenant_id: UUID, window: tuple[UUID | None, int]) -> Page[SequenceRow]:
        """Return sequences, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            found = await repository.sequences(session, (after, limit + 1))
        items = found[:limit]
        return Page(items, items[-1].id if len(found) > limit else None)

    async def replace(self, tenant_id: UUID, sequence_id: UUID, plan: Plan) -> Written:
        """Write a sequence anew as a whole; whoever is on the way goes on with what they began with.

        Raises:
            NotFound: the tenant has no such sequence.
            Invalid: as `add`.
        """
        plan = await self._checked(tenant_id, plan)
        async with self._database.tenant_session(tenant_id) as session:
            sequence = await found_sequence(session, sequence_id, lock=True)
            version = sequence.version + 1
            await repository.add_version(session, _version(tenant_id, (sequence_id, version), plan))
            await repository.change(session, sequence_id, {"name": plan.name, "version": version})
            await session.refresh(sequence)
            return await written(session, sequence_id)

    async def remove(self, tenant_id: UUID, sequence_id: UUID) -> None:
        """Delete a sequence; no step of it is sent any more, what was written is."""
        async with self._database.tenant_session(tenant_id) as session:
            await found_sequence(session, sequence_id, lock=True)
            await repository.change(session, sequence_id, {"state": SequenceState.DELETED})

    async def _checked(self, tenant_id: UUID, plan: Plan) -> Plan:
        if plan.template_set is not None:
            plan = replace(plan, course=replace(plan.course, steps=await self._entries(tenant_id, plan.template_set)))
        plan.course.check(datetime.now(UTC))
        for position in range(len(plan.course.steps)):
            try:
                await check_names(self._database, tenant_id, plan.course.notice(position + 1), f"/steps/{position}")
            except Invalid as error:
                if plan.template_set is None:
                    raise
                raise Invalid.at("/template_set", error.code, error.detail) from None
        return plan

    async def _entries(self, tenant_id: UUID, name: str) -> Sequence[Step]:
        try:
            async with self._database.tenant_transaction(tenant_id) as connection:
                entries = (await found_set(connection, tenant_id, name)).entries
        except NotFound:
            raise Invalid.at("/template_set", "template_not_found", "There is no such template set.") from None
        return [
            Step(
                delay=entry.delay.total_seconds() if entry.delay else 0,
                template=public_id(TEMPLATE, entry.template_id),
                after_previous=True,
            )
            for entry in entries
        ]


def _version(tenant_id: UUID, pin: tuple[UUID, int], plan: Plan) -> dict[str, Any]:
    sequence_id, version = pin
    return {
        "sequence_id": sequence_id,
        "version": version,
        "tenant_id": tenant_id,
        "content": plan.course.stored(),
        "stop_on": sorted(set(plan.stop_on)),
    }


async def found_sequence(session: AsyncSession, sequence_id: UUID, *, lock: bool = False) -> SequenceRow:
    """Return a sequence, or raise NotFound, inside the tenant's session."""
    sequence = await repository.sequence_of(session, sequence_id, lock=lock)
    if sequence is None:
        raise NotFound("There is no such sequence.")
    return sequence


async def written(session: AsyncSession, sequence_id: UUID) -> Written:
    """Return a sequence with what it says now, or raise NotFound, inside the tenant's session."""
    sequence = await found_sequence(session, sequence_id)
    content = await repository.content_of(session, sequence_id, sequence.version)
    return Written(sequence, Course.read(content.content), content.stop_on)
