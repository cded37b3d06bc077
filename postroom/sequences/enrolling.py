"""Enrolments as the API writes and reads them: who goes through a sequence, and how far they have come."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import new_id
from postroom.notifications.naming import made_before
from postroom.notifications.request import IdempotencyKey
from postroom.notifications.schedule import FARTHEST, PAST_TOLERANCE
from postroom.paging import Page
from postroom.policy.zones import UTC_NAME, find_zone
from postroom.sequences import repository
from postroom.sequences.course import Course
from postroom.sequences.ending import end_enrolment, end_enrolments
from postroom.sequences.models import Enrolled, EnrolmentState, EnrolmentStep
from postroom.sequences.service import Written, found_sequence, written
from postroom.tenants.gate import Identity

BY_REQUEST = "stopped"
PLANNED_AT_ONCE = 50  # people; between two such groups others have their turn


@dataclass(frozen=True, slots=True)
class Newcomer:
    """One person to be enrolled; without an anchor, from now on."""

    user_id: str
    anchor_at: datetime | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    enrolment_id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Progress:
    """An enrolment with its steps, each with the state of its notification."""

    enrolment: Enrolled
    steps: Sequence[tuple[EnrolmentStep, str | None]]


class Enrolments:
    """Enrolments of one deployment, each seen by one tenant only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enrol_one(
        self, identity: Identity, sequence_id: UUID, newcomer: Newcomer, key: IdempotencyKey | None
    ) -> tuple[Progress, bool]:
        """Enrol one person; True when an earlier request did.

        Raises:
            NotFound: the tenant has no such sequence.
            Conflict: this person is on the way already (`already_enrolled`).
        """
        enrolled, again = await self.enrol(identity, sequence_id, [newcomer], key)
        enrolment_id = enrolled.get(newcomer.user_id)
        if enrolment_id is None:
            raise Conflict("This person is on the way through this sequence already.", code="already_enrolled")
        return await self.get(identity.tenant_id, sequence_id, enrolment_id), again

    async def enrol(
        self, identity: Identity, sequence_id: UUID, people: Sequence[Newcomer], key: IdempotencyKey | None
    ) -> tuple[Mapping[str, UUID], bool]:
        """Enrol people in one transaction; returns the ids of those who were not on the way already, by user_id.

        Raises:
            NotFound: the tenant has no such sequence.
            Invalid: an anchor lies too far away.
        """
        request_id, tenant_id = new_id(), identity.tenant_id
        async with self._database.tenant_session(tenant_id) as session:
            sequence = await written(session, sequence_id)
            if earlier := await made_before(session, tenant_id, key, request_id):
                made = await repository.enrolments_of_request(session, earlier)
                return {one.user_id: one.id for one in made}, True
            origin = {"tenant_id": tenant_id, "api_key_id": identity.key_id, "request_id": request_id}
            taken = await _enrol(session, sequence, people, origin)
        return {one.user_id: one.enrolment_id for one in people if one.enrolment_id in taken}, False

    async def get(self, tenant_id: UUID, sequence_id: UUID, enrolment_id: UUID) -> Progress:
        """Return an enrolment with its steps, or raise NotFound."""
        async with self._database.tenant_session(tenant_id) as session:
            await found_sequence(session, sequence_id)
            return await _progress(session, sequence_id, enrolment_id)

    async def page(
        self, tenant_id: UUID, sequence_id: UUID, window: tuple[UUID | None, int], state: EnrolmentState | None
    ) -> Page[Enrolled]:
        """Return enrolments, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            await found_sequence(session, sequence_id)
            found = await repository.enrolments(session, sequence_id, (after, limit + 1), state)
        items = found[:limit]
        return Page(items, items[-1].id if len(found) > limit else None)

    async def stop(self, tenant_id: UUID, sequence_id: UUID, enrolment_id: UUID) -> Progress:
        """End an enrolment; a step is sent before this or never.

        Raises:
            NotFound: the tenant has no such enrolment.
            Conflict: it has ended (`already_ended`).
        """
        await self.get(tenant_id, sequence_id, enrolment_id)
        async with self._database.tenant_transaction(tenant_id) as connection:
            if not await end_enrolment(connection, enrolment_id, BY_REQUEST):
                raise Conflict("This enrolment has ended already.", code="already_ended")
        return await self.get(tenant_id, sequence_id, enrolment_id)

    async def happened(self, tenant_id: UUID, user_id: str, event: str) -> int:
        """End a person's enrolments in the sequences that this event stops; returns how many. Nothing is kept of it."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            person = {"tenant_id": tenant_id, "user_id": user_id}
            return await end_enrolments(connection, person, f"event:{event}", event)


async def _enrol(
    session: AsyncSession, sequence: Written, people: Sequence[Newcomer], origin: Mapping[str, Any]
) -> set[UUID]:
    moment = await repository.now(session)
    zones = await repository.zones_of(session, [one.user_id for one in people])
    rows = [(one, one.anchor_at or moment, _zone(zones.get(one.user_id))) for one in people]
    _check_anchors([anchor for _, anchor, _ in rows], moment)
    values = {
        "sequence_id": sequence.sequence.id,
        "version": sequence.sequence.version,
        "ids": [one.enrolment_id for one in people],
        "users": [one.user_id for one in people],
        "anchors": [anchor for _, anchor, _ in rows],
        "zones": [zone for _, _, zone in rows],
        "variables": [json.dumps(one.variables, ensure_ascii=False) for one in people],
    }
    taken = await repository.enrol(session, {**origin, **values})
    planned = await _planned(sequence.course, [row for row in rows if row[0].enrolment_id in taken])
    if planned:
        ids, positions, dues = (list(column) for column in zip(*planned, strict=True))
        steps = {"ids": ids, "positions": positions, "dues": dues, "tolerance": PAST_TOLERANCE}
        await repository.add_steps(session, {"tenant_id": origin["tenant_id"], **steps})
    return taken


def _zone(known: str | None) -> str:
    return find_zone(known or UTC_NAME).shown


async def _planned(course: Course, rows: Sequence[tuple[Newcomer, datetime, str]]) -> list[tuple[UUID, int, datetime]]:
    planned = []
    for number, (one, anchor, zone) in enumerate(rows):
        planned += [(one.enrolment_id, place, due) for place, due in enumerate(course.due(anchor, zone), 1)]
        if number % PLANNED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return planned


def _check_anchors(anchors: Sequence[datetime], now: datetime) -> None:
    if any(abs(anchor - now) > FARTHEST for anchor in anchors):
        raise Invalid.at("/anchor_at", "out_of_range", f"At most {FARTHEST.days} days from now.")


async def _progress(session: AsyncSession, sequence_id: UUID, enrolment_id: UUID) -> Progress:
    enrolment = await repository.enrolment_of(session, sequence_id, enrolment_id)
    if enrolment is None:
        raise NotFound("There is no such enrolment.")
    return Progress(enrolment, await repository.steps_of(session, enrolment_id))
