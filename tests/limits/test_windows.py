"""Hours, and days that begin at a zone's own midnight: also on the days that clocks change."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database, Role
from postroom.limits import reservations
from postroom.limits.allowance import Allowance, Meter, Window
from postroom.limits.reservations import Request, Reservation, Reservations, reserve


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Clock:
    """The reserving statements with another idea of now."""

    def __init__(self, database: Database, patch: pytest.MonkeyPatch) -> None:
        self.database, self.patch = database, patch
        self.plain = {name: getattr(reservations, name) for name in ("ENSURE", "RESERVE")}
        self.meter = Meter(ChannelKind.EMAIL, f"relay-{uuid4().hex}")

    async def reserve(self, moment: str, allowance: Allowance, wanted: int = 1) -> Reservation:
        for name, statement in self.plain.items():
            self.patch.setattr(reservations, name, statement.replace("now()", f"'{moment}Z'::timestamptz"))
        request = Request(self.meter, allowance, wanted, new=True)
        async with self.database.transaction(Role.LEDGER) as connection:
            await connection.execute(reservations.ENSURE, reservations._columns([request]))  # noqa: SLF001
            return (await reserve(connection, [request]))[0]


@pytest.fixture
def clock(database: Database, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(database, monkeypatch)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", "2026-11-20T10:00:00", ("2026-11-20T00:00:00", "2026-11-21T00:00:00")),
        ("Asia/Shanghai", "2026-11-20T17:00:00", ("2026-11-20T16:00:00", "2026-11-21T16:00:00")),
        ("Europe/Paris", "2026-03-29T00:30:00", ("2026-03-28T23:00:00", "2026-03-29T22:00:00")),  # 23 hours
        ("Europe/Paris", "2026-10-25T00:30:00", ("2026-10-24T22:00:00", "2026-10-25T23:00:00")),  # 25 hours
        ("America/Santiago", "2026-09-06T03:30:00", ("2026-09-05T04:00:00", "2026-09-06T04:00:00")),
        ("America/Santiago", "2026-09-06T12:00:00", ("2026-09-06T04:00:00", "2026-09-07T03:00:00")),  # begins at one
    ],
)
async def test_a_day_is_one_of_the_zone(clock: Clock, zone: str, moment: str, day: tuple[str, str]) -> None:
    got = await clock.reserve(moment, Allowance(per_day=10, zone=zone))
    standing = got.windows[Window.DAY]
    assert (standing.start, standing.lasts) == (at(day[0]), at(day[1]) - at(moment))


async def test_a_day_of_25_hours_has_one_quota_and_the_next_one_its_own(clock: Clock) -> None:
    allowance = Allowance(per_day=4, zone="Europe/Paris")
    moments = ["2026-10-24T22:00:01", "2026-10-25T00:30:00", "2026-10-25T01:30:00", "2026-10-25T22:59:59"]
    taken = [(await clock.reserve(moment, allowance, 2)).count for moment in moments]
    assert sum(taken) == 4
    assert (await clock.reserve("2026-10-25T22:59:59", allowance)).count == 0
    assert (await clock.reserve("2026-10-25T23:00:00", allowance)).count == 1


async def test_an_hour_begins_anew_and_where_the_zone_has_it(clock: Clock) -> None:
    allowance = Allowance(per_hour=1, zone="Asia/Kolkata")
    first = await clock.reserve("2026-11-20T10:10:00", allowance)
    assert (first.count, first.windows[Window.HOUR].lasts) == (1, timedelta(minutes=20))
    assert (await clock.reserve("2026-11-20T10:29:59", allowance)).count == 0
    assert (await clock.reserve("2026-11-20T10:30:00", allowance)).count == 1


async def test_the_tightest_window_decides(database: Database) -> None:
    meter = Meter(ChannelKind.EMAIL, f"relay-{uuid4().hex}")
    allowance = Allowance(per_minute=50, per_hour=3, per_day=100)
    asked = Reservations(database)
    counts = [(await asked.ask(Request(meter, allowance, 9, new=True))).count for _ in range(4)]
    assert sum(counts) == 3
