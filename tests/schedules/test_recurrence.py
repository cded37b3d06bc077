"""What cron fields and calendars mean in a zone, clocks that change included."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from postroom.errors import Invalid
from postroom.schedules.recurrence import Recurrence

PARIS = "Europe/Paris"
SPRING, AUTUMN = datetime(2027, 3, 27, 12, tzinfo=UTC), datetime(2027, 10, 30, 12, tzinfo=UTC)


def local(cron: str, zone: str, after: datetime, count: int) -> list[str]:
    there = ZoneInfo(zone)
    return [f"{one.astimezone(there):%d %H:%M %z}" for one in Recurrence.of_cron(cron).runs(zone, after, count)]


def test_a_time_that_the_clocks_skip_comes_when_they_have_jumped() -> None:
    assert local("30 2 * * *", PARIS, SPRING, 2) == ["28 03:00 +0200", "29 02:30 +0200"]


def test_a_time_that_the_clocks_repeat_comes_once() -> None:
    assert local("30 2 * * *", PARIS, AUTUMN, 2) == ["31 02:30 +0200", "01 02:30 +0100"]


def test_after_the_first_pass_the_second_does_not_come() -> None:
    between = datetime(2027, 10, 31, 1, 15, tzinfo=UTC)  # 02:15 for the second time
    assert local("30 2 * * *", PARIS, between, 1) == ["01 02:30 +0100"]


def test_what_comes_every_hour_goes_by_the_clock_on_the_wall() -> None:
    assert local("30 * * * *", PARIS, datetime(2027, 10, 31, 0, tzinfo=UTC), 3) == [
        "31 02:30 +0200",
        "31 02:30 +0100",
        "31 03:30 +0100",
    ]
    assert local("30 * * * *", PARIS, datetime(2027, 3, 28, 0, 45, tzinfo=UTC), 1) == ["28 03:30 +0200"]


def test_only_the_times_that_are_skipped_are_moved() -> None:
    early = Recurrence.of_cron("30 2 * * *")
    assert early.moved(PARIS, SPRING, 800) == [
        datetime(2027, 3, 28, 1, tzinfo=UTC),
        datetime(2028, 3, 26, 1, tzinfo=UTC),
        datetime(2029, 3, 25, 1, tzinfo=UTC),
    ]
    assert Recurrence.of_cron("30 9 * * *").moved(PARIS, SPRING, 800) == []
    assert Recurrence.of_cron("30 * * * *").moved(PARIS, SPRING, 800) == []


def test_the_second_pass_is_known_for_one() -> None:
    first, second = datetime(2027, 10, 31, 0, 30, tzinfo=UTC), datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
    timed, hourly = Recurrence.of_cron("30 2 * * *"), Recurrence.of_cron("30 * * * *")
    assert [timed.is_repetition(PARIS, one) for one in (first, second)] == [False, True]
    assert not hourly.is_repetition(PARIS, second)


def test_a_calendar_asks_for_all_it_names() -> None:
    first_monday = Recurrence.of_calendar(
        {"hour": 9, "minute": 0, "days_of_week": ["mon"], "days_of_month": list(range(1, 8))}
    )
    runs = first_monday.runs("UTC", datetime(2026, 11, 20, tzinfo=UTC), 2)
    assert runs == [datetime(2026, 12, 7, 9, tzinfo=UTC), datetime(2027, 1, 4, 9, tzinfo=UTC)]


def test_cron_is_content_with_one_kind_of_day() -> None:
    runs = Recurrence.of_cron("0 9 1 * mon").runs("UTC", datetime(2026, 11, 20, tzinfo=UTC), 3)
    assert [one.day for one in runs] == [23, 30, 1]


@pytest.mark.parametrize("leap", ["0 0 29 2 *", "59 23 29 feb *"])
def test_a_leap_day_comes_every_four_years(leap: str) -> None:
    runs = Recurrence.of_cron(leap).runs("UTC", datetime(2026, 11, 20, tzinfo=UTC), 3)
    assert [one.year for one in runs] == [2028, 2032, 2036]


def test_what_never_comes_ends() -> None:
    never = Recurrence.of_calendar({"hour": 9, "minute": 0, "days_of_month": [31], "months": [2]})
    assert never.runs(PARIS, SPRING, 1) == []


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "0 0 0 * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "a b c d e",
     "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", "1- * * * *", "- * * * *", "/5 * * * *", "0 0 30 2 *",
     "٣ * * * *", "0 0 * * mon,", "1" * 99 + " * * * *", "* " * 300, "-1 * * * *", "1.5 * * * *", "1/2/3 * * * *"],
)  # fmt: skip
def test_garbage_is_named(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Recurrence.of_cron(text)
    assert refused.value.code == "invalid_cron"


@pytest.mark.parametrize(
    "text", ["0 0 L * *", "0 0 LW * *", "0 0 * * 5L", "0 0 * * mon#2", "0 0 ? * *", "@daily 1 1 1 1"]
)
def test_what_the_engine_cannot_do_is_named(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Recurrence.of_cron(text)
    assert refused.value.code == "unsupported_cron"


@pytest.mark.parametrize("text", ["0 9 * jul *", "0 9 * * wed", "0 9 * JUL wed,7", "0-30/10 */6 1-7 */3 1-5"])
def test_names_that_hold_such_letters_are_fine(text: str) -> None:
    assert Recurrence.of_cron(text).minutes


@given(text=st.text(alphabet="0123456789*/,-LW#? abcMONjul@\n\x00é", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = Recurrence.of_cron(text)
    except Invalid:
        return
    assert found.minutes <= set(range(60))
    assert found.weekdays <= set(range(7))


FIELD = [
    st.sampled_from(["0", "30", "15,45", "*/20", "*", "5-10"]),
    st.sampled_from(["2", "1-3", "*/6", "*", "0,23", "9"]),
    st.sampled_from(["*", "1", "15,31", "1-7"]),
    st.sampled_from(["*", "3,10", "2", "*/5"]),
    st.sampled_from(["*", "mon", "1-5", "0,7", "sat"]),
]
ZONES = st.sampled_from([PARIS, "America/New_York", "Asia/Kolkata", "UTC", "Africa/Cairo", "America/Sao_Paulo"])
SECONDS = st.integers(0, 4 * 366 * 86_400)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@given(cron=st.tuples(*FIELD).map(" ".join), zone=ZONES, seconds=SECONDS)
def test_cronsim_says_the_same(cron: str, zone: str, seconds: int) -> None:
    after = BEGINNING + timedelta(seconds=seconds)
    theirs: list[datetime] = []
    for one in CronSim(cron, after.astimezone(ZoneInfo(zone))):
        instant = one.astimezone(UTC)
        if instant > (theirs[-1] if theirs else after):
            theirs.append(instant)
        if len(theirs) == 8:
            break
    assert list(Recurrence.of_cron(cron).runs(zone, after, 8)) == theirs


def test_the_horizon_is_bounded() -> None:
    runs = Recurrence.of_cron("* * * * *").runs("UTC", datetime(2099, 12, 31, tzinfo=UTC), 3)
    assert runs[2] - runs[0] == timedelta(minutes=2)
