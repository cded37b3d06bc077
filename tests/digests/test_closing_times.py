"""When digests close, in every zone, and in the nights in which clocks are set."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.digests.closing_times import closes_at

ZONES = [ZoneInfo(name) for name in sorted(available_timezones() - {"Factory", "localtime"})]
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(st.sampled_from(ZONES), MOMENTS)
def test_an_hour_ends_at_the_next_full_hour_of_the_wall_clock(zone: ZoneInfo, now: datetime) -> None:
    end = closes_at("hourly", zone, now)
    assert now < end <= now + timedelta(hours=2)
    assert (end.astimezone(zone).minute, end.astimezone(zone).second) == (0, 0)
    between = now.replace(second=0, microsecond=0) + MINUTE
    while between < end:
        assert between.astimezone(zone).minute != 0
        between += MINUTE


@given(st.sampled_from(ZONES), MOMENTS)
def test_a_day_ends_in_the_morning(zone: ZoneInfo, now: datetime) -> None:
    end = closes_at("daily", zone, now)
    assert now < end <= now + timedelta(days=2)
    local = end.astimezone(zone)
    assert local.time() == time(9) or skipped(local)


@given(st.sampled_from(ZONES), MOMENTS)
def test_a_week_ends_on_monday_morning(zone: ZoneInfo, now: datetime) -> None:
    end = closes_at("weekly", zone, now)
    assert now < end <= now + timedelta(days=8)
    local = end.astimezone(zone)
    assert (local.weekday(), local.time()) == (0, time(9)) or skipped(local)


def skipped(local: datetime) -> bool:
    """Whether nine o'clock of that day, or of the day before, was never shown."""
    mornings = (local.replace(hour=9, minute=0) - timedelta(days=days) for days in (0, 1))
    return any(one.astimezone(UTC).astimezone(local.tzinfo).time() != time(9) for one in mornings)


@given(st.sampled_from(ZONES), MOMENTS, st.sampled_from(["hourly", "daily", "weekly"]))
def test_whoever_asks_before_the_end_is_told_the_same(zone: ZoneInfo, now: datetime, frequency: str) -> None:
    end = closes_at(frequency, zone, now)
    assert closes_at(frequency, zone, now + (end - now) / 2) == end
    assert closes_at(frequency, zone, end - timedelta(microseconds=1)) == end
    assert closes_at(frequency, zone, end) > end


@pytest.mark.parametrize(
    ("frequency", "zone", "now", "end"),
    [
        ("daily", "Europe/Paris", "2026-11-20T07:59:59+00:00", "2026-11-20T08:00:00+00:00"),
        ("daily", "Europe/Paris", "2026-11-20T08:00:00+00:00", "2026-11-21T08:00:00+00:00"),
        ("daily", "Europe/Paris", "2026-03-28T12:00:00+00:00", "2026-03-29T07:00:00+00:00"),  # clocks go forward
        ("daily", "Europe/Paris", "2026-10-24T12:00:00+00:00", "2026-10-25T08:00:00+00:00"),  # and back
        ("weekly", "America/New_York", "2026-11-20T12:00:00+00:00", "2026-11-23T14:00:00+00:00"),
        ("weekly", "America/New_York", "2026-11-23T14:00:00+00:00", "2026-11-30T14:00:00+00:00"),
        ("hourly", "Asia/Kathmandu", "2026-11-20T10:00:00+00:00", "2026-11-20T10:15:00+00:00"),
        ("hourly", "Europe/Paris", "2026-03-29T00:30:00+00:00", "2026-03-29T01:00:00+00:00"),  # 02:00 is 03:00
        ("hourly", "Europe/Paris", "2026-10-25T00:30:00+00:00", "2026-10-25T01:00:00+00:00"),  # 03:00 is 02:00 again
        ("hourly", "Australia/Lord_Howe", "2026-10-03T15:15:00+00:00", "2026-10-03T16:00:00+00:00"),  # 02:00 is 02:30
        ("daily", "Pacific/Apia", "2011-12-30T05:00:00+00:00", "2011-12-30T19:00:00+00:00"),  # the day never was
    ],
)
def test_examples(frequency: str, zone: str, now: str, end: str) -> None:
    assert closes_at(frequency, ZoneInfo(zone), at(now)) == at(end)


def test_nothing_is_gathered_for_somebody_who_wants_it_at_once() -> None:
    with pytest.raises(ValueError, match="immediate"):
        closes_at("immediate", ZoneInfo("UTC"), datetime.now(UTC))
