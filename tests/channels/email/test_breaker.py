"""While a provider is away one try at a time decides, whatever the tries that had begun before still come to."""

import asyncio

import pytest

from postroom.channels.base import Answer, Phase, Verdict
from postroom.channels.email.breaker import Breaker
from tests.channels.email.conftest import SHORT

AWAY = Answer(Verdict.UNAVAILABLE, Phase.ENVELOPE, "provider_unreachable", "relay")
PAUSE = SHORT.outage_first.total_seconds()


@pytest.mark.parametrize("late", [None, AWAY], ids=["gave up", "failed"])
async def test_an_older_try_says_nothing_about_the_probe(late: Answer | None) -> None:
    breaker = Breaker(SHORT)
    assert breaker.enter("first")
    assert breaker.enter("older")
    breaker.leave("first", AWAY)
    assert not breaker.enter("early")
    await asyncio.sleep(PAUSE + 0.05)
    assert breaker.enter("probe")

    breaker.leave("older", late)
    await asyncio.sleep(2 * PAUSE + 0.05)

    assert not breaker.enter("second probe")
    breaker.leave("probe", AWAY)
    assert PAUSE < breaker.wait <= 2 * PAUSE, "doubled once"


async def test_a_probe_that_gives_up_leaves_the_next_one_to_try() -> None:
    breaker = Breaker(SHORT)
    assert breaker.enter("first")
    breaker.leave("first", AWAY)
    await asyncio.sleep(PAUSE + 0.05)
    assert breaker.enter("probe")
    breaker.leave("probe", None)
    assert breaker.enter("next")
