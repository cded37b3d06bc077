from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.policy.quiet_hours import DEFAULT, QuietHours, Window, quiet_until
from postroom.policy.zones import Zone, find_zone

ZONES = sorted(available_timezones() - {"Factory", "localtime"})
YEARS = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
MINUTE = timedelta(minutes=1)
LONGEST = timedelta(hours=26)


def hours(start: str, end: str) -> QuietHours:
    return QuietHours.read({"start": start, "end": end})


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(at: datetime, zone: Zone) -> datetime:
    return at.astimezone(zone.info).replace(tzinfo=None)


def reads_quiet(quiet: QuietHours, zone: Zone, at: datetime) -> bool:
    """By the hands of the clock alone, written another way than the code: as minutes of a circle."""
    local = wall(at, zone)
    clock = local.hour * 60 + local.minute
    for window in quiet.windows:
        start, end = (one.hour * 60 + one.minute for one in (window.start, window.end))
        inside = (clock - start) % 1440 < (end - start) % 1440
        began = local - timedelta(days=1) if clock < start else local
        if inside and began.weekday() in window.days:
            return True
    return False


def changes(zone: Zone) -> Iterator[datetime]:
    """The instants of two years at which the zone's clock is set."""
    at, last = YEARS
    while at < last:
        later = at + timedelta(days=1)
        if wall(later, zone) - wall(at, zone) != timedelta(days=1):
            for minute in range(1440):
                step = at + minute * MINUTE
                if wall(step + MINUTE, zone) - wall(step, zone) != MINUTE:
                    yield step + MINUTE
        at = later


def test_a_night_wraps_midnight() -> None:
    paris = find_zone("Europe/Paris")
    assert quiet_until(DEFAULT, paris, moment("2026-11-20T22:10")) == moment("2026-11-21T07:00")
    assert quiet_until(DEFAULT, paris, moment("2026-11-21T06:59:59.999")) == moment("2026-11-21T07:00")
    assert quiet_until(DEFAULT, paris, moment("2026-11-21T07:00")) is None
    assert quiet_until(DEFAULT, paris, moment("2026-11-21T20:59:59")) is None
    assert quiet_until(DEFAULT, paris, moment("2026-11-21T21:00")) == moment("2026-11-22T07:00")


@pytest.mark.parametrize(
    ("zone", "night", "asked", "until"),
    [
        # Spring: 02:00 is 03:00. An end inside the gap is the first instant after it.
        ("Europe/Berlin", "22:00-02:30", "2026-03-28T23:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "22:00-08:00", "2026-03-28T23:00", "2026-03-29T06:00"),
        # Autumn: 03:00 is 02:00 again. The first 02:30 ends the night; who asks in the repetition waits for the second.
        ("Europe/Berlin", "22:00-02:30", "2026-10-24T23:00", "2026-10-25T00:30"),
        ("Europe/Berlin", "22:00-02:30", "2026-10-25T01:10", "2026-10-25T01:30"),
        ("Europe/Berlin", "22:00-08:00", "2026-10-24T23:00", "2026-10-25T07:00"),
        # Midnight is skipped: 00:00 is 01:00.
        ("Africa/Cairo", "20:00-00:00", "2026-04-23T19:00", "2026-04-23T22:00"),
        ("Africa/Cairo", "20:00-00:30", "2026-04-23T19:00", "2026-04-23T22:00"),
        # Half an hour of summer.
        ("Australia/Lord_Howe", "22:00-02:15", "2026-10-03T13:00", "2026-10-03T15:30"),
        ("Australia/Lord_Howe", "22:00-08:00", "2026-04-04T13:00", "2026-04-04T21:30"),
        # 30 December 2011 never was: the night began on the 29th and ended on the 31st, nine hours later.
        ("Pacific/Apia", "22:00-08:00", "2011-12-30T09:00", "2011-12-30T18:00"),
    ],
)
def test_the_night_on_which_a_clock_is_set(zone: str, night: str, asked: str, until: str) -> None:
    assert quiet_until(hours(*night.split("-")), find_zone(zone), moment(asked)) == moment(until)


def test_a_skipped_day_lets_a_wait_end_at_once_when_it_skips_the_rest_of_the_window() -> None:
    friday = QuietHours((Window(time(1), time(23), frozenset({4})),))  # 30 December 2011 was a Friday
    assert quiet_until(friday, find_zone("Pacific/Apia"), moment("2011-12-30T10:30")) is None


def test_days_are_those_on_which_a_window_starts() -> None:
    stored = {
        "windows": [{"days": ["fri", "sat"], "start": "23:00", "end": "10:00"}, {"start": "13:00", "end": "14:00"}]
    }
    quiet, zone = QuietHours.read(stored), find_zone("UTC")
    assert quiet_until(quiet, zone, moment("2026-11-20T23:30")) == moment("2026-11-21T10:00")  # Friday night
    assert quiet_until(quiet, zone, moment("2026-11-22T09:00")) == moment("2026-11-22T10:00")  # Sunday morning
    assert quiet_until(quiet, zone, moment("2026-11-23T09:00")) is None
    assert quiet_until(quiet, zone, moment("2026-11-23T13:00")) == moment("2026-11-23T14:00")


def test_windows_that_touch_are_one_wait() -> None:
    stored = {"windows": [{"start": "20:00", "end": "02:00"}, {"start": "01:00", "end": "05:00"}]}
    assert quiet_until(QuietHours.read(stored), find_zone("UTC"), moment("2026-11-20T21:00")) == moment(
        "2026-11-21T05:00"
    )


def test_without_a_length_or_without_an_end_nothing_is_quiet() -> None:
    around = QuietHours((Window(time(0), time(12)), Window(time(12), time(0))))
    assert not around.ever_end()
    assert quiet_until(around, find_zone("UTC"), moment("2026-11-20T21:00")) is None
    assert quiet_until(hours("08:00", "08:00"), find_zone("UTC"), moment("2026-11-20T08:00")) is None
    assert hours("00:00", "23:59").ever_end()
    assert quiet_until(QuietHours.read({"enabled": False}), find_zone("UTC"), moment("2026-11-20T23:00")) is None


@pytest.mark.parametrize("name", ZONES)
def test_every_zone_around_every_setting_of_its_clock(name: str) -> None:
    zone = find_zone(name)
    for change in changes(zone):
        for quiet in (DEFAULT, hours("00:15", "02:20")):
            for minutes in range(-660, 180, 31):
                asked = change + minutes * MINUTE
                holds(quiet, zone, asked)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.datetimes(*(one.replace(tzinfo=None) for one in YEARS)),
    st.integers(0, 1439),
    st.integers(0, 1439),
)
def test_never_inside_and_never_late(name: str, asked: datetime, start: int, end: int) -> None:
    window = Window(time(*divmod(start, 60)), time(*divmod(end, 60)))
    holds(QuietHours((window,)), find_zone(name), asked.replace(tzinfo=UTC))


def holds(quiet: QuietHours, zone: Zone, asked: datetime) -> None:
    """Quiet exactly when the clock reads so; then until a moment at which it no longer does, and no sooner one."""
    until = quiet_until(quiet, zone, asked)
    if not reads_quiet(quiet, zone, asked):
        assert until is None, (zone.name, asked)
        return
    assert until is not None, (zone.name, asked)
    assert not reads_quiet(quiet, zone, until), (zone.name, asked, until)
    assert asked < until <= asked + LONGEST
    assert all(reads_quiet(quiet, zone, asked + share * (until - asked) / 7) for share in range(7))
    assert reads_quiet(quiet, zone, until - timedelta(microseconds=1)), (zone.name, asked, until)
