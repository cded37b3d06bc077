"""A block paces its tokens, ends with its window, and gives back what was not used, once."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from postroom.limits.allowance import Window
from postroom.limits.block import SLACK_SECONDS, Block, Token
from postroom.limits.reservations import Reservation, Standing

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


def filled(count: int, pace: float = 0.0) -> Block:
    block = Block(pace=pace)
    windows = {
        Window.SECOND: Standing(NOON, timedelta(seconds=1), room=True),
        Window.DAY: Standing(MIDNIGHT, timedelta(hours=12), room=True),
    }
    block.fill(Reservation(count, windows), until=101.0, keep_until=101.0)
    return block


def test_the_limit_of_a_second_is_not_used_up_in_its_first_moment() -> None:
    block, moments, now = filled(10, pace=0.1), [], 100.0
    while block.left:
        block.take(now)
        moments.append(round(now - 100.0, 3))
        now = max(now, block.next_at)
    pauses = [later - sooner for sooner, later in pairwise(moments)]
    assert min(pauses) >= 0.1 - SLACK_SECONDS - 0.001
    assert moments[-1] < 1.0, "all of them fit"


def test_a_late_timer_catches_up_little() -> None:
    block = filled(10, pace=0.1)
    block.take(100.0)
    block.take(100.7)
    assert block.next_at > 100.7 + 0.1 - SLACK_SECONDS - 0.001


def test_what_comes_back_in_time_serves_the_next() -> None:
    block = filled(2)
    token = block.take(100.0)
    block.give_back(token, 100.5)
    assert (block.left, block.unused) == (2, {})


def test_what_comes_back_late_or_is_left_over_goes_back_once() -> None:
    block = filled(3)
    token = block.take(100.0)
    block.expire()
    block.give_back(token, 101.5)
    assert block.hand_over() == {Window.SECOND: (NOON, 3), Window.DAY: (MIDNIGHT, 3)}
    assert block.hand_over() == {}


def test_while_the_next_block_is_on_its_way_nothing_is_lost() -> None:
    block = filled(1)
    token = block.take(100.0)
    block.hand_over()
    block.give_back(token, 100.1)
    day = Standing(MIDNIGHT, timedelta(hours=12), room=True)
    block.fill(Reservation(5, {Window.DAY: day}), until=102.0, keep_until=102.0)
    assert block.left == 5
    assert block.hand_over()[Window.DAY] == (MIDNIGHT, 1)


def test_of_two_days_the_later_counts() -> None:
    block = filled(0)
    tomorrow = MIDNIGHT + timedelta(days=1)
    for start in (tomorrow, MIDNIGHT, tomorrow):
        block.give_back(Token({Window.DAY: start}), 200.0)
    assert block.hand_over() == {Window.DAY: (tomorrow, 2)}
