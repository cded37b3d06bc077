"""What the rails say about numbers, at their edges."""

import pytest

from postroom.guard_rails.rails import Level, Limits, Numbers, Rail, findings


def touched(limits: Limits, **numbers: int) -> list[tuple[Rail, Level]]:
    return [(one.rail, one.level) for one in findings(limits, Numbers(**numbers))]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"accepted": 190, "rejected": 9, "bad_addresses": 9}, []),  # one short of the sample
        ({"accepted": 190, "rejected": 10, "bad_addresses": 10}, [(Rail.BOUNCE_RATE, Level.PAUSE)]),
        ({"accepted": 191, "rejected": 9, "bad_addresses": 9}, [(Rail.BOUNCE_RATE, Level.WARN)]),
        ({"accepted": 195, "rejected": 5, "bad_addresses": 5}, []),
        ({"accepted": 190, "rejected": 10, "bad_addresses": 2}, []),  # refused for something else
        ({"accepted": 200, "bounced": 10}, [(Rail.BOUNCE_RATE, Level.PAUSE)]),
        ({"accepted": 999, "complained": 9}, []),
        ({"accepted": 1000, "complained": 3}, [(Rail.COMPLAINT_RATE, Level.PAUSE)]),
        ({"accepted": 1000, "complained": 1}, [(Rail.COMPLAINT_RATE, Level.WARN)]),
        ({"accepted": 2000, "complained": 1}, []),
        ({"refusals": 49}, []),
        ({"refusals": 50}, [(Rail.POLICY_REFUSALS, Level.PAUSE)]),
        ({"worded": 48, "unworded": 1}, []),
        ({"worded": 49, "unworded": 1}, [(Rail.RENDER_FAILURES, Level.PAUSE)]),
        ({"worded": 50, "unworded": 1}, []),
    ],
)
def test_each_rail_speaks_at_its_limit_and_past_its_sample(
    numbers: dict[str, int], said: list[tuple[Rail, Level]]
) -> None:
    assert touched(Limits.read(None), **numbers) == said


def test_what_was_chosen_counts_and_null_switches_off() -> None:
    limits = Limits.read(
        {
            "bounce_rate": {"pause_percent": 50, "minimum_sample": 4},
            "complaint_rate": {"warn_percent": None, "pause_percent": None},
            "policy_refusals": {"pause_count": None},
        }
    )
    assert (limits.bounce_rate.warn_percent, limits.render_failures.minimum_sample) == (3.0, 50)
    assert touched(limits, accepted=2, rejected=2, bad_addresses=2) == [(Rail.BOUNCE_RATE, Level.PAUSE)]
    assert touched(limits, accepted=2000, complained=2000, refusals=2000) == []


def test_what_was_seen_is_no_news_and_a_count_that_fell_begins_anew() -> None:
    seen = Numbers(accepted=100, rejected=50)
    assert Numbers(accepted=150, rejected=50).beyond(seen) == Numbers(accepted=50)
    assert Numbers(accepted=150, rejected=20).lowered(seen) == Numbers(accepted=100, rejected=20)
