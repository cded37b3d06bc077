"""When a task begins and how fast it goes: what is refused, and which instants a plan means."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.campaigns.planning.plan import AT_ONCE, UNHURRIED, Pace, Plan
from postroom.errors import Invalid
from postroom.policy.zones import find_zone

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOCAL = datetime(2026, 12, 1, 9)  # noqa: DTZ001 - a wall clock
ZONES = ["Pacific/Kiritimati", "Pacific/Apia", "Europe/Paris", "Pacific/Pago_Pago", "Etc/GMT+12", "Asia/Kathmandu"]


def refused(plan: Plan, pace: Pace = UNHURRIED) -> str | None:
    try:
        plan.check(NOW)
        pace.check(plan, NOW)
    except Invalid as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (AT_ONCE, None),
        (Plan(at=NOW + timedelta(days=1)), None),
        (Plan(at=NOW - timedelta(seconds=30)), None),
        (Plan(at=NOW - timedelta(minutes=2)), "plan_in_past"),
        (Plan(at=NOW + timedelta(days=367)), "plan_too_far"),
        (Plan(local_time=LOCAL, fallback_zone="Europe/Paris"), None),
        (Plan(local_time=LOCAL, fallback_zone="Europe/Atlantis"), "unknown_time_zone"),
        (Plan(local_time=NOW.replace(tzinfo=None) - timedelta(hours=11)), None),
        (Plan(local_time=NOW.replace(tzinfo=None) - timedelta(hours=13)), "plan_in_past"),
        (Plan(at=NOW, local_time=LOCAL), "plan_conflict"),
        (Plan(fallback_zone="Europe/Paris"), "plan_conflict"),
    ],
)
def test_a_plan_is_ahead_and_says_one_thing(plan: Plan, code: str | None) -> None:
    assert refused(plan) == code


@pytest.mark.parametrize(
    ("plan", "pace", "code"),
    [
        (AT_ONCE, Pace(per_minute=1), None),
        (AT_ONCE, Pace(finish_by=NOW + timedelta(hours=1)), None),
        (AT_ONCE, Pace(finish_by=NOW), "finish_before_start"),
        (Plan(at=NOW + timedelta(days=1)), Pace(finish_by=NOW + timedelta(hours=23)), "finish_before_start"),
        (Plan(local_time=LOCAL), Pace(finish_by=LOCAL.replace(tzinfo=UTC)), "finish_before_start"),
        (Plan(local_time=LOCAL), Pace(finish_by=LOCAL.replace(tzinfo=UTC) + timedelta(hours=13)), None),
        (AT_ONCE, Pace(finish_by=NOW + timedelta(days=400)), "finish_too_far"),
        (AT_ONCE, Pace(per_minute=1, finish_by=NOW + timedelta(hours=1)), "pace_conflict"),
    ],
)
def test_a_pace_ends_after_the_last_zone_began(plan: Plan, pace: Pace, code: str | None) -> None:
    assert refused(plan, pace) == code


@given(zone=st.sampled_from(ZONES), local=st.datetimes(datetime(2026, 12, 1), datetime(2027, 10, 1)))  # noqa: DTZ001
def test_every_zone_lies_between_the_first_and_the_last_instant(zone: str, local: datetime) -> None:
    plan = Plan(local_time=local)
    there = local.replace(tzinfo=find_zone(zone).info).astimezone(UTC)
    assert plan.earliest(NOW) <= there <= plan.latest(NOW)


@given(
    at=st.none() | st.datetimes(datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    local=st.none() | st.datetimes().map(lambda one: one.replace(microsecond=0)),
    per_minute=st.none() | st.integers(1, 10**6),
)
def test_what_is_kept_is_read_back(at: datetime | None, local: datetime | None, per_minute: int | None) -> None:
    plan, pace = Plan(at, local), Pace(per_minute, None if per_minute else at)
    assert (Plan.read(plan.stored), Pace.read(pace.stored)) == (plan, pace)


def test_what_has_passed_begins_now() -> None:
    assert Plan(at=NOW - timedelta(seconds=10)).earliest(NOW) == NOW
    assert AT_ONCE.earliest(NOW) == AT_ONCE.latest(NOW) == NOW
