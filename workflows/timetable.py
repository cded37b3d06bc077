"""Brings the engine's schedules into line with the rows."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from temporalio.service import RPCError, RPCStatusCode

from postroom.contracts.recurring import Firing
from postroom.contracts.vocabulary import Priority, SearchAttribute
from postroom.identity import schedule_workflow_id
from postroom.policy.zones import find_zone
from postroom.relay.relay import EngineAway
from postroom.schedules.keeping import Refused, Wish
from postroom.schedules.recurrence import Recurrence
from workflows.queues import RECURRING
from workflows.schedule import ScheduleWorkflow
from workflows.start import CALL_PATIENCE, answered, keywords, turn

OVERLAPS = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "buffer_one": ScheduleOverlapPolicy.BUFFER_ONE,
    "allow_all": ScheduleOverlapPolicy.ALLOW_ALL,
}
MOVED_DAYS = 800  # nights whose clocks skip a time of day are named this far ahead, and anew every year


def aligner(client: Client) -> Callable[[Wish], Awaitable[None]]:
    """Return the function that makes the engine's schedule what its row says; doing it twice is doing it once."""

    async def align(wish: Wish) -> None:
        handle = client.get_schedule_handle(schedule_workflow_id(wish.slug, wish.id))
        try:
            async with answered():
                await (_removed(handle) if wish.is_over else _made(client, handle, wish))
        except RPCError as error:
            if error.status == RPCStatusCode.INVALID_ARGUMENT:
                raise Refused from error
            raise

    return align


async def _removed(handle: ScheduleHandle) -> None:
    try:
        await handle.delete(rpc_timeout=CALL_PATIENCE)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise


async def _made(client: Client, handle: ScheduleHandle, wish: Wish) -> None:
    wanted = schedule_for(wish)
    try:
        found = (await handle.describe(rpc_timeout=CALL_PATIENCE)).schedule.state
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        await _create(client, handle.id, wanted)
        return
    if (found.note, found.paused) != (wanted.state.note, wanted.state.paused):
        await handle.update(lambda _: ScheduleUpdate(schedule=wanted), rpc_timeout=CALL_PATIENCE)


async def _create(client: Client, name: str, wanted: Schedule) -> None:
    try:
        await client.create_schedule(name, wanted, rpc_timeout=CALL_PATIENCE)
    except ScheduleAlreadyRunningError as error:  # another worker was faster; the next look compares
        raise EngineAway from error


def schedule_for(wish: Wish) -> Schedule:
    """Put together what the engine should have; the note says which version of the row it is."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            ScheduleWorkflow.run,
            Firing(wish.tenant_id, wish.id),
            id=schedule_workflow_id(wish.slug, wish.id),
            task_queue=RECURRING,
            typed_search_attributes=keywords({SearchAttribute.TENANT: wish.slug}),
            static_summary="a firing of a schedule",
            priority=turn(Priority.LOW, wish.tenant_id),
        ),
        spec=ScheduleSpec(
            calendars=calendars(Recurrence.read(wish.recurrence), wish.time_zone, wish.now),
            start_at=wish.start_at,
            end_at=wish.end_at,
            jitter=wish.jitter,
            time_zone_name=wish.time_zone,
        ),
        policy=SchedulePolicy(overlap=OVERLAPS[wish.overlap], catchup_window=wish.catch_up),
        state=ScheduleState(note=f"version {wish.version} in {wish.now.year}", paused=wish.is_paused),
    )


def calendars(recurrence: Recurrence, zone: str, now: datetime) -> Sequence[ScheduleCalendarSpec]:
    """Spell a recurrence for the engine, which takes a clock at its word: times that are skipped are named."""
    times = {"minute": ranges(recurrence.minutes), "hour": ranges(recurrence.hours)}
    days, weekdays = ranges(recurrence.days), ranges(recurrence.weekdays)
    months: dict[str, Any] = times | {"month": ranges(recurrence.months)}
    if recurrence.both_days:
        usual = [ScheduleCalendarSpec(**months, day_of_month=days, day_of_week=weekdays)]
    else:
        usual = [
            ScheduleCalendarSpec(**months, day_of_month=days),
            ScheduleCalendarSpec(**months, day_of_week=weekdays),
        ]
    return usual + [
        _at(instant.astimezone(find_zone(zone).info)) for instant in recurrence.moved(zone, now, MOVED_DAYS)
    ]


def _at(local: datetime) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        second=[ScheduleRange(local.second)],
        minute=[ScheduleRange(local.minute)],
        hour=[ScheduleRange(local.hour)],
        day_of_month=[ScheduleRange(local.day)],
        month=[ScheduleRange(local.month)],
        year=[ScheduleRange(local.year)],
        comment="the clocks skip its time that day",
    )


def ranges(numbers: Iterable[int]) -> list[ScheduleRange]:
    """Write numbers as runs of neighbours."""
    found: list[ScheduleRange] = []
    for number in sorted(numbers):
        if found and found[-1].end == number - 1:
            found[-1] = ScheduleRange(found[-1].start, number)
        else:
            found.append(ScheduleRange(number))
    return found
