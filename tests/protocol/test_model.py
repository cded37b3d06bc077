"""The model is searched: nothing reachable breaks a promise, and everything reachable ends accounted for."""

import os
import random
from dataclasses import replace

import pytest

from tests.protocol.draining import FAIR, Drain
from tests.protocol.invariants import step_violations, violations
from tests.protocol.model import TRANSITIONS, start, steps
from tests.protocol.rules import Rules, Ticks, World
from tests.protocol.search import Search

# With a greater POSTROOM_SEARCH_BUDGET it looks further; the default fits a minute of one core with the rest of this
# folder.
BUDGET = float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1"))

WORLDS = {
    "a fault": (World(faults=1, actions=0), 18_000),
    "two actions": (World(faults=0, actions=2), 12_000),
    "a fault and an action": (World(faults=1, actions=1), 6_000),
    "nobody can tell, hold": (World(faults=1, actions=1, answers=False, resends=False), 6_000),
    "nobody can tell, send again": (World(faults=2, actions=0, answers=False), 6_000),
    "two channels": (World(faults=1, actions=1, channels=2), 6_000),
    "two notifications": (World(faults=1, actions=0, notes=2), 4_000),
    "two that wait": (World(faults=1, actions=1, notes=2, scheduled=1), 4_000),
}
WIDE = World(ticks=Ticks(life=7), faults=8, actions=2, slots=3)
CARELESS = frozenset({"look_write", "mark_write", "release_write"})
IN_COMPANY = frozenset({"gather_page", "join_waiting"})


@pytest.mark.parametrize("name", WORLDS)
def test_search_finds_nothing_wrong(name: str) -> None:
    world, states = WORLDS[name]
    finding = Search(world, round(states * BUDGET)).run()
    assert not finding.wrong, finding.told()
    assert finding.exhausted or finding.states > states * BUDGET


def test_one_action_at_any_moment_is_searched_to_the_end() -> None:
    finding = Search(World(faults=0, actions=1), 60_000).run()
    assert finding.exhausted
    assert not finding.wrong, finding.told()


def test_search_finds_what_a_missing_rule_breaks() -> None:
    world = World(Rules(acceptance_needs_no_token=False), faults=1, actions=0)
    assert Search(world, 10_000).run().wrong == "acceptance dropped"


def test_long_walks_find_nothing_wrong_and_take_every_transition() -> None:
    worlds = [
        WIDE,
        replace(WIDE, answers=False),
        replace(WIDE, answers=False, resends=False),
        replace(WIDE, channels=2),
    ]
    taken: set[str] = set()
    for world in worlds:
        drains = [Drain(world, everyone_dies=True), Drain(world, everyone_dies=False)]
        for seed in range(round(100 * BUDGET)):
            taken |= walk(world, seed, drains)
    assert taken | {"correct"} == set(TRANSITIONS) - CARELESS - IN_COMPANY


def walk(world: World, seed: int, drains: list[Drain]) -> set[str]:
    """Take up to a hundred steps, mostly fair ones, checking each; returns the names of the transitions taken."""
    choose = random.Random(seed)  # noqa: S311 - a fixed seed is the point
    state = start(world)
    taken = set()
    for _ in range(100):
        possible = list(steps(world, state))
        if not possible:
            break
        weights = [12 if step[0] in FAIR and step[0] != "tick" else 1 for step, _ in possible]
        step, after = choose.choices(possible, weights)[0]
        taken.add(str(step[0]))
        assert not violations(after) + step_violations(state, after), (seed, step)
        state = after
    for drain in drains:
        assert drain.settles(state), (seed, drain.story(state))
    return taken
