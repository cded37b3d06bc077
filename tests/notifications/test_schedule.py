"""Due times survive daylight saving: a gap ends, a repeated hour happens once, nothing goes backwards."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, strategies

from postroom.errors import Invalid
from postroom.notifications.schedule import Schedule, instant_in_zone

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "zone", "instant"),
    [
        ("2026-07-01T12:00:00", "Europe/Berlin", "2026-07-01T10:00:00"),
        ("2026-03-29T01:59:59", "Europe/Berlin", "2026-03-29T00:59:59"),
        ("2026-03-29T02:00:00", "Europe/Berlin", "2026-03-29T01:00:00"),  # the gap begins
        ("2026-03-29T02:30:00", "Europe/Berlin", "2026-03-29T01:00:00"),
        ("2026-03-29T02:59:59", "Europe/Berlin", "2026-03-29T01:00:00"),
        ("2026-03-29T03:00:00", "Europe/Berlin", "2026-03-29T01:00:00"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00"),  # twice; the first one
        ("2026-10-25T03:00:00", "Europe/Berlin", "2026-10-25T02:00:00"),
        ("2026-10-04T02:15:00", "Australia/Lord_Howe", "2026-10-03T15:30:00"),  # half an hour
        ("2026-04-24T00:30:00", "Africa/Cairo", "2026-04-23T22:00:00"),  # midnight itself is skipped
        ("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T10:00:00"),  # a whole day is
        ("2026-03-29T02:30:00", "UTC", "2026-03-29T02:30:00"),
    ],
)
def test_nights_when_clocks_change(local: str, zone: str, instant: str) -> None:
    found = instant_in_zone(datetime.fromisoformat(local), zone)
    assert found == datetime.fromisoformat(instant).replace(tzinfo=UTC)


ZONES = sorted(available_timezones())


@given(
    local=strategies.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - wall clocks
    zone=strategies.sampled_from(ZONES),
)
def test_the_wall_clock_shows_the_time_asked_for_or_the_first_one_after_a_gap(local: datetime, zone: str) -> None:
    instant = instant_in_zone(local, zone)
    shown = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if shown == local:
        assert instant <= local.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)
    else:
        before = (instant - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert before < local < shown


@given(
    first=strategies.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - wall clocks
    wait=strategies.timedeltas(timedelta(0), timedelta(hours=4)),
    zone=strategies.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Africa/Cairo"]),
)
def test_a_gap_never_changes_the_order(first: datetime, wait: timedelta, zone: str) -> None:
    early, late = (instant_in_zone(one, zone) for one in (first, first + wait))
    assert early <= late


def code_of(schedule: Schedule, expires_at: datetime | None = None) -> str | None:
    try:
        schedule.check(NOW, expires_at)
    except Invalid as error:
        return error.code
    return None


def test_limits_are_where_they_are_said_to_be() -> None:
    second, day = timedelta(seconds=1), timedelta(days=1)
    assert code_of(Schedule()) is None
    assert code_of(Schedule(NOW - 60 * second)) is None  # clocks differ
    assert code_of(Schedule(NOW - 61 * second)) == "scheduled_in_past"
    assert code_of(Schedule(NOW + 366 * day)) is None
    assert code_of(Schedule(NOW + 366 * day + second)) == "scheduled_too_far"
    assert code_of(Schedule(NOW + day), NOW + day) == "expires_before_due"
    assert code_of(Schedule(NOW + day), NOW + day + second) is None
    assert code_of(Schedule(NOW - 30 * second), NOW - second) == "expires_before_due"
    assert code_of(Schedule(delay=day), NOW + 368 * day) == "expires_too_late"


def test_a_delay_is_known_once_it_is_accepted() -> None:
    assert Schedule(delay=timedelta(minutes=5)).due_at(NOW) == NOW + timedelta(minutes=5)
    assert not Schedule(delay=timedelta(0)).is_later_than(NOW)
    assert Schedule(delay=timedelta(seconds=1)).is_later_than(NOW)
