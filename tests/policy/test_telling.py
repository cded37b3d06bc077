from datetime import timedelta
from typing import Any

import pytest

from postroom.policy.telling import said_of, told_of

MORNING = {"until": "2026-11-21T07:00:00+00:00", "zone": "Europe/Paris"}
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("reason", "detail", "words"),
    [
        ("quiet_hours", MORNING, "quiet hours until 08:00 Europe/Paris"),
        ("digest", MORNING, "digest closes at 08:00 Europe/Paris"),
        ("paused", MORNING, "paused by the person until 08:00 Europe/Paris"),
        ("paused", {"until": MORNING["until"], "for_good": True}, "paused by the person until they say otherwise"),
        (
            "frequency_cap",
            {"until": "2026-11-20T14:03:07+00:00", "limit": 100, "per": "hour"},
            "over 100 per hour, next place at 14:03:07 UTC",
        ),
        (
            "quiet_hours",
            {"until": MORNING["until"], "zone": "Mars/X", "zone_unknown": True},
            "quiet hours until 07:00 UTC (the zone Mars/X is unknown, so UTC)",
        ),
    ],
)
def test_a_wait_in_a_few_words(reason: str, detail: dict[str, Any], words: str) -> None:
    assert said_of(reason, detail, HOUR) == words


def test_the_date_stands_there_when_it_is_far_away() -> None:
    assert said_of("quiet_hours", MORNING, 25 * HOUR) == "quiet hours until 2026-11-21 08:00 Europe/Paris"


def test_what_policy_did_not_make_wait_is_told_by_others() -> None:
    assert said_of("provider_limit", MORNING, HOUR) is None
    assert said_of("digest", {}, HOUR) is None
    assert told_of("rescheduled", None, {}) is None


def test_an_event_of_the_timeline_is_a_sentence() -> None:
    told = told_of("deferred_by_policy", "quiet_hours", MORNING)
    assert told == "Waiting: quiet hours until 2026-11-21 08:00 Europe/Paris."
    passed = told_of("policy_bypassed", "security", {"bypassed": ["quiet_hours", "frequency_cap"]})
    assert passed == "Not kept by quiet hours and a frequency cap, because its class is security."
