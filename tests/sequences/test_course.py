"""When the steps of a sequence are due for somebody."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.errors import Invalid
from postroom.sequences.course import Course, Step

DAY = 86_400
ANCHOR = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
PARIS = "Europe/Paris"
TRAVELLING: Mapping[str, Any] = {"channels": ["in_app"]}


def due(*steps: Step, zone: str = PARIS, anchor: datetime = ANCHOR) -> list[str]:
    there = ZoneInfo(zone)
    found = Course(TRAVELLING, steps).due(anchor, zone)
    return [f"{one.astimezone(there):%m-%d %H:%M}" for one in found]


def test_delays_count_from_the_anchor_or_from_the_step_before() -> None:
    steps = (Step(0, "a"), Step(3 * DAY, "b"), Step(DAY, "c", after_previous=True), Step(-DAY, "d"))
    assert due(*steps, zone="UTC") == ["11-20 15:30", "11-23 15:30", "11-24 15:30", "11-19 15:30"]


def test_a_time_of_day_is_never_nearer_to_the_anchor_than_the_delay() -> None:
    assert due(Step(3 * DAY, "a", at="09:00")) == ["11-24 09:00"]
    assert due(Step(3 * DAY, "a", at="17:00")) == ["11-23 17:00"]
    assert due(Step(-DAY, "a", at="09:00")) == ["11-19 09:00"]
    assert due(Step(-DAY, "a", at="17:00")) == ["11-18 17:00"]
    assert due(Step(0, "a", at="09:00")) == ["11-21 09:00"]


def test_a_time_of_day_is_the_persons_own() -> None:
    assert due(Step(DAY, "a", at="09:00"), zone="Asia/Tokyo") == ["11-22 09:00"]
    assert due(Step(DAY, "a", at="09:00"), zone="America/New_York") == ["11-22 09:00"]


def test_a_step_after_one_with_a_time_of_day_counts_from_there() -> None:
    assert due(Step(DAY, "a", at="09:00"), Step(DAY, "b", after_previous=True)) == ["11-22 09:00", "11-23 09:00"]


def test_a_time_of_day_that_the_clocks_skip_comes_when_they_have_jumped() -> None:
    spring = datetime(2027, 3, 27, 12, tzinfo=UTC)
    assert due(Step(0, "a", at="02:30"), anchor=spring) == ["03-28 03:00"]


@given(
    delay=st.integers(-366 * DAY, 366 * DAY),
    minute=st.integers(0, 1439),
    zone=st.sampled_from([PARIS, "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns"]),
    anchor=st.integers(0, 3 * 366 * DAY),
)
def test_it_is_at_that_time_within_a_day_of_the_delay(delay: int, minute: int, zone: str, anchor: int) -> None:
    base = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=anchor)
    found = Step(delay, "a", at=f"{minute // 60:02}:{minute % 60:02}").due_after(base, zone)
    away = (found - (base + timedelta(seconds=delay))) * (1 if delay >= 0 else -1)
    assert timedelta(0) <= away <= timedelta(hours=26)


@pytest.mark.parametrize(
    ("step", "code", "place"),
    [
        (Step(0, "Hello {{ name", "x"), "malformed_placeholder", "/steps/0/title"),
        (Step(0, "Hello", "x" * 100_001), "content_too_large", "/steps/0/content"),
    ],
)
def test_words_that_cannot_be_said_are_named(step: Step, code: str, place: str) -> None:
    with pytest.raises(Invalid) as refused:
        Course(TRAVELLING, [step]).check(ANCHOR)
    assert [(one.pointer) for one in refused.value.errors] == [place]
    assert code in {refused.value.code, "malformed_placeholder"}


def test_all_steps_together_have_a_limit() -> None:
    with pytest.raises(Invalid, match="All steps together"):
        Course(TRAVELLING, [Step(0, "a", "x" * 90_000)] * 6).check(ANCHOR)


def test_what_the_database_keeps_reads_as_it_was() -> None:
    course = Course(TRAVELLING, (Step(0, "a", "b", at="09:00"), Step(DAY, template="weekly", variables={"n": 1})))
    assert Course.read(course.stored()) == course
