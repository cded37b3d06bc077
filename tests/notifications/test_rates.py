"""Rates admit what they promise and forget what is over."""

import pytest
from hypothesis import given, strategies

from postroom import rates
from postroom.rates import Rate, Standing


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rates, "time", clock)
    return clock


def test_a_rate_is_used_up_and_comes_back(clock: Clock) -> None:
    rate = Rate(3)
    assert [rate.hit("a").remaining for _ in range(3)] == [2, 1, 0]
    assert rate.hit("a") == Standing(allowed=False, limit=3, remaining=0, reset=60)
    assert rate.hit("b").allowed
    clock.now = 61  # the window before still weighs nearly three
    assert not rate.hit("a").allowed
    clock.now = 81
    assert rate.hit("a").allowed
    assert not rate.hit("a").allowed
    clock.now = 240
    assert rate.hit("a").remaining == 2


def test_what_is_given_back_can_be_used(clock: Clock) -> None:
    rate = Rate(1)
    assert rate.hit("a").allowed
    rate.give_back("a")
    assert rate.hit("a").allowed
    assert not rate.hit("a").allowed
    rate.give_back("never hit")
    assert rate.hit("never hit").remaining == 0


def test_what_is_heavy_counts_for_more(clock: Clock) -> None:
    rate = Rate(5)
    assert rate.hit("a", 3).remaining == 2
    assert not rate.hit("a", 3).allowed
    assert rate.hit("a", 2).remaining == 0
    assert not rate.hit("b", 6).allowed
    assert rate.hit("b").remaining == 4  # what was refused weighs nothing


def test_the_tighter_of_two_is_told() -> None:
    wide, tight = Standing(True, 100, 50, 9), Standing(True, 10, 3, 9)
    assert wide.tighter(tight) is tight
    assert tight.tighter(wide) is tight
    assert wide.tighter(None) is wide


@given(pauses=strategies.lists(strategies.floats(0, 40), min_size=1, max_size=200), limit=strategies.integers(1, 20))
def test_never_more_than_twice_the_rate_in_a_minute_and_never_more_in_a_window(pauses: list[float], limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(rates, "time", clock)
        rate, admitted = Rate(limit), []
        for pause in pauses:
            clock.now += pause
            if rate.hit("a").allowed:
                admitted.append(clock.now)
    for moment in admitted:
        assert sum(moment <= one < moment + 60 for one in admitted) <= 2 * limit
        window = moment // 60
        assert sum(one // 60 == window for one in admitted) <= limit
