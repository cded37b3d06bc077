"""The model is searched: nothing reachable breaks a promise, and everything reachable ends accounted for."""

import os
import random

import pytest

from tests.protocol.draining import Drain
from tests.protocol.invariants import step_violations, violations
from tests.protocol.model import TRANSITIONS, start, steps
from tests.protocol.rules import Rules, Ticks, World
from tests.protocol.search import Search

# `make chaos` looks further; the default fits a minute of one core with the rest of this folder.
BUDGET = float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1"))

WORLDS = {
    "a fault": (World(faults=1, actions=0), 60_000),
    "two actions": (World(faults=0, actions=2), 30_000),
    "a fault and an action": (World(faults=1, actions=1), 8_000),
    "nobody can tell, hold": (World(faults=1, actions=1, answers=False, resends=False), 8_000),
    "nobody can tell, send again": (World(faults=2, actions=0, answers=False), 8_000),
    "two channels": (World(faults=1, actions=1, channels=2), 8_000),
    "two notifications": (World(faults=1, actions=0, notes=2), 6_000),
    "two that wait": (World(faults=1, actions=1, notes=2, scheduled=1), 6_000),
}
WIDE = World(ticks=Ticks(life=7), faults=6, actions=3, slots=3)


@pytest.mark.parametrize("name", WORLDS)
def test_search_finds_nothing_wrong(name: str) -> None:
    world, states = WORLDS[name]
    finding = Search(world, round(states * BUDGET)).run()
    assert not finding.wrong, finding.told()
    assert finding.states > 1_000


@pytest.mark.parametrize("name", ["a fault", "two actions"])
def test_small_worlds_are_searched_to_their_end(name: str) -> None:
    world, states = WORLDS[name]
    assert Search(World(faults=0, actions=world.actions), states).run().exhausted


@pytest.mark.parametrize(
    "world",
    [WIDE, World(ticks=Ticks(life=7), faults=6, actions=3, answers=False), World(faults=6, actions=3, channels=2)],
    ids=["evidence", "silence", "two channels"],
)
def test_long_walks_find_nothing_wrong_and_take_every_transition(world: World) -> None:
    taken: set[str] = set()
    drains = [Drain(world, everyone_dies=True), Drain(world, everyone_dies=False)]
    for seed in range(round(60 * BUDGET)):
        taken |= walk(world, seed, drains)
    careless = {"look_write", "mark_write", "release_write"}
    others = {"gather_page", "join_waiting", "gather_waiting", "retry", "correct"}
    assert set(TRANSITIONS) - careless - others <= taken


def walk(world: World, seed: int, drains: list[Drain]) -> set[str]:
    """Take eighty random steps, checking each; returns the names of the transitions taken."""
    choose = random.Random(seed)  # noqa: S311 - a fixed seed is the point
    state = start(world)
    taken = set()
    for _ in range(80):
        possible = list(steps(world, state))
        if not possible:
            break
        step, after = choose.choice(possible)
        taken.add(str(step[0]))
        assert not violations(after) + step_violations(state, after), (seed, step)
        state = after
    for drain in drains:
        assert drain.settles(state), (seed, drain.story(state))
    return taken


def test_search_finds_what_a_missing_rule_breaks() -> None:
    finding = Search(World(Rules(absence_is_asked_after_window=False), faults=2, actions=0), 60_000).run()
    assert finding.wrong == "copy nobody decided", finding.told()
