"""Statements about sequences and enrolments, inside a tenant's session."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.notifications.models import Notification
from postroom.sequences.models import (
    Enrolled,
    EnrolmentState,
    EnrolmentStep,
    SequenceState,
    SequenceVersion,
)
from postroom.sequences.models import Sequence as SequenceRow

Values = Mapping[str, Any]

ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
THERE = SequenceRow.state == SequenceState.ACTIVE

ZONES = text("""
SELECT person.user_id, coalesce(k.time_zone, s.value ->> 'time_zone') AS time_zone
FROM unnest(CAST(:users AS text[])) AS person (user_id)
LEFT JOIN contacts k ON k.tenant_id = current_tenant() AND k.user_id = person.user_id
LEFT JOIN tenant_settings s ON s.tenant_id = current_tenant() AND s.name = 'policy'
""")
# Whoever is on the way already stays on it.
ENROL = text("""
INSERT INTO enrolments (id, tenant_id, api_key_id, request_id, sequence_id, version, user_id, anchor_at, time_zone,
                        variables)
SELECT id, :tenant_id, :api_key_id, :request_id, :sequence_id, :version, user_id, anchor_at, time_zone, variables::jsonb
FROM unnest(CAST(:ids AS uuid[]), CAST(:users AS text[]), CAST(:anchors AS timestamptz[]), CAST(:zones AS text[]),
            CAST(:variables AS text[])) AS person (id, user_id, anchor_at, time_zone, variables)
ORDER BY user_id
ON CONFLICT (sequence_id, user_id) WHERE state = 'active' DO NOTHING RETURNING id
""")
STEPS = text("""
INSERT INTO enrolment_steps (enrolment_id, position, tenant_id, due_at, state, reason, done_at)
SELECT enrolment_id, position, :tenant_id, due_at, CASE WHEN is_past THEN 'skipped' ELSE 'waiting' END,
       CASE WHEN is_past THEN 'already_past' END, CASE WHEN is_past THEN now() END
FROM unnest(CAST(:ids AS uuid[]), CAST(:positions AS integer[]), CAST(:dues AS timestamptz[]))
         AS step (enrolment_id, position, due_at),
     LATERAL (SELECT due_at < now() - CAST(:tolerance AS interval) AS is_past) AS clock
""")


async def sequence_of(session: AsyncSession, sequence_id: UUID, *, lock: bool = False) -> SequenceRow | None:
    """Return one sequence, locked until the end of the transaction when asked for."""
    statement = select(SequenceRow).where(SequenceRow.id == sequence_id, THERE)
    if lock:
        statement = statement.with_for_update(key_share=True)
    return (await session.scalars(statement)).one_or_none()


async def content_of(session: AsyncSession, sequence_id: UUID, version: int) -> SequenceVersion:
    """Return what a sequence says in one version."""
    statement = select(SequenceVersion).where(
        SequenceVersion.sequence_id == sequence_id, SequenceVersion.version == version
    )
    return (await session.scalars(statement)).one()


async def sequences(session: AsyncSession, window: tuple[UUID | None, int]) -> Sequence[SequenceRow]:
    """Return sequences, newest first; `window` is the id to start behind, and how many."""
    after, count = window
    statement = select(SequenceRow).where(THERE).order_by(SequenceRow.id.desc()).limit(count)
    if after is not None:
        statement = statement.where(SequenceRow.id < after)
    return (await session.scalars(statement)).all()


async def count(session: AsyncSession, tenant_id: UUID) -> int:
    """Return how many sequences the tenant has; nobody else adds one to them until the transaction ends."""
    await session.execute(ALONE, {"name": f"sequences {tenant_id}"})
    return (await session.scalars(select(func.count()).select_from(SequenceRow).where(THERE))).one()


async def add(session: AsyncSession, values: Values) -> None:
    """Insert a sequence."""
    await session.execute(insert(SequenceRow).values(**values))


async def add_version(session: AsyncSession, values: Values) -> None:
    """Insert what it says."""
    await session.execute(insert(SequenceVersion).values(**values))


async def change(session: AsyncSession, sequence_id: UUID, values: Values) -> None:
    """Change a sequence."""
    statement = update(SequenceRow).where(SequenceRow.id == sequence_id)
    await session.execute(statement.values(**values, updated_at=func.now()))


async def zones_of(session: AsyncSession, user_ids: Sequence[str]) -> dict[str, str | None]:
    """Return the zones of these people, where theirs is not known the tenant's."""
    return {row.user_id: row.time_zone for row in await session.execute(ZONES, {"users": list(user_ids)})}


async def now(session: AsyncSession) -> datetime:
    """Return the moment of this transaction."""
    return (await session.scalars(select(func.now()))).one()


async def enrol(session: AsyncSession, values: Values) -> set[UUID]:
    """Insert enrolments; returns those whose person was not on the way already."""
    return set(await session.scalars(ENROL, values))


async def add_steps(session: AsyncSession, values: Values) -> None:
    """Insert the steps of enrolments; those whose time has passed are skipped."""
    await session.execute(STEPS, values)


async def enrolments_of_request(session: AsyncSession, request_id: UUID) -> Sequence[Enrolled]:
    """Return what one request enrolled."""
    return (await session.scalars(select(Enrolled).where(Enrolled.request_id == request_id))).all()


async def enrolment_of(session: AsyncSession, sequence_id: UUID, enrolment_id: UUID) -> Enrolled | None:
    """Return one enrolment."""
    statement = select(Enrolled).where(Enrolled.id == enrolment_id, Enrolled.sequence_id == sequence_id)
    return (await session.scalars(statement)).one_or_none()


async def enrolments(
    session: AsyncSession, sequence_id: UUID, window: tuple[UUID | None, int], state: EnrolmentState | None
) -> Sequence[Enrolled]:
    """Return enrolments, newest first; `window` as above, None shows those in every state."""
    after, limit = window
    statement = select(Enrolled).where(Enrolled.sequence_id == sequence_id)
    if after is not None:
        statement = statement.where(Enrolled.id < after)
    if state is not None:
        statement = statement.where(Enrolled.state == state)
    return (await session.scalars(statement.order_by(Enrolled.id.desc()).limit(limit))).all()


async def steps_of(session: AsyncSession, enrolment_id: UUID) -> Sequence[tuple[EnrolmentStep, str | None]]:
    """Return the steps of an enrolment, each with the state of its notification."""
    statement = (
        select(EnrolmentStep, Notification.state)
        .join(Notification, Notification.id == EnrolmentStep.notification_id, isouter=True)
        .where(EnrolmentStep.enrolment_id == enrolment_id)
        .order_by(EnrolmentStep.position)
    )
    return [(step, state) for step, state in await session.execute(statement)]
