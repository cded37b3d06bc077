"""A storm of cancels, reschedules and send-nows over members of pages, and what each answer promised."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from random import Random
from typing import Any
from uuid import UUID

from tests.chaos.caller import Caller

VERBS = ("cancel", "reschedule", "send-now")
ABREAST = 8
SOONEST_SECONDS = 1.0
LATEST_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One action on one notification: what was answered, between which moments, and the new time if one was asked."""

    verb: str
    status: int
    said: str
    asked_at: datetime
    answered_at: datetime
    due_at: datetime | None = None


@dataclass(slots=True)
class Storm:
    """Acts at random with a fixed seed; the actions on one notification come one after the other."""

    caller: Caller
    seed: str
    answers: dict[UUID, list[Answered]] = field(default_factory=dict)

    async def rage(self, ids: Sequence[UUID], actions: int) -> None:
        """Ask for so many things."""
        chance = Random(self.seed)  # noqa: S311 - a fixed seed is the point
        plan = [(chance.choice(ids), chance.choice(VERBS), chance.uniform(SOONEST_SECONDS, LATEST_SECONDS))
                for _ in range(actions)]  # fmt: skip
        locks = {one: asyncio.Lock() for one, _, _ in plan}
        abreast = asyncio.Semaphore(ABREAST)

        async def act(one: UUID, verb: str, delay: float) -> None:
            async with abreast, locks[one]:
                self.answers.setdefault(one, []).append(await self._ask(one, verb, delay))

        async with asyncio.TaskGroup() as group:
            for step in plan:
                group.create_task(act(*step))

    async def _ask(self, one: UUID, verb: str, delay: float) -> Answered:
        asked_at = datetime.now(UTC)
        due_at = asked_at + timedelta(seconds=delay) if verb == "reschedule" else None
        answer = await self.caller.act(one, verb, {"scheduled_at": due_at.isoformat()} if due_at else None)
        said = answer.json()
        return Answered(
            verb, answer.status_code, said.get("outcome") or said["code"], asked_at, datetime.now(UTC), due_at
        )


def broken(answers: Sequence[Answered], fate: Mapping[str, Any], copies: Sequence[datetime]) -> list[str]:
    """Which answers were not kept. `fate` is the notification's row with `busy`, when it was being handed off."""
    found = [f"{one.verb}: {one.said}" for one in answers if not _kept(one, fate, copies)]
    moves = [one for one in answers if one.status < HTTPStatus.BAD_REQUEST and one.verb != "cancel"]
    if moves and moves[-1].due_at and any(copy < moves[-1].due_at for copy in copies):
        found.append(f"sent before {moves[-1].due_at}")
    return found


def _kept(one: Answered, fate: Mapping[str, Any], copies: Sequence[datetime]) -> bool:
    if one.said == "cancelled":
        return fate["state"] == "cancelled" and not copies
    if one.said == "cancelling":
        return (fate["state"], len(copies)) in {("sent", 1), ("cancelled", 0)}
    if one.said == "already_final":
        return bool(fate["ended_at"] <= one.answered_at)
    if one.said == "already_sent":
        return len(copies) == 1 and copies[0] <= one.answered_at
    if one.said == "in_flight":
        return any(begun <= one.answered_at and over >= one.asked_at for begun, over in fate["busy"])
    return one.said in {"rescheduled", "due", "noted"}
