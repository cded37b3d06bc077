"""The model and the product's own SQL, step by step side by side: every trace, and random walks with fixed seeds."""

import os
import random
from dataclasses import replace

import pytest

from postroom.database.engine import Database
from tests.fixtures.database import Tenants
from tests.protocol.draining import FAIR
from tests.protocol.model import Step, steps
from tests.protocol.pairing import CONTROL, Pair
from tests.protocol.playing import read_story
from tests.protocol.rules import Ticks, World
from tests.protocol.sql import open_product
from tests.protocol.state import State
from tests.protocol.stories import FURTHER, STORIES

ASKED_ANYWAY = 0.05  # how often a control action is asked for whether or not the model allows it
SEEDS = round(float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1")) * 8)
WALK = World(ticks=Ticks(life=7), attempts=4, faults=8, actions=2)
WORLDS = {
    "evidence": WALK,
    "silence, send again": replace(WALK, answers=False),
    "silence, hold": replace(WALK, answers=False, resends=False),
    "two channels": replace(WALK, channels=2),
    "scheduled": replace(WALK, scheduled=2),
}


async def tell(database: Database, tenants: Tenants, world: World, text: str) -> Pair:
    """Tell a story to both."""
    pair = Pair(await open_product(database, tenants.alice, replace(world, attempts=4)))
    for step in read_story(text):
        if expressible(pair.state, step):
            await pair.take(step)
    return pair


@pytest.mark.parametrize("name", STORIES)
async def test_statements_follow_the_model_through_the_trace(name: str, database: Database, tenants: Tenants) -> None:
    await tell(database, tenants, STORIES[name].world, STORIES[name].text)


@pytest.mark.parametrize("name", FURTHER)
async def test_statements_follow_the_model_through(name: str, database: Database, tenants: Tenants) -> None:
    await tell(database, tenants, *FURTHER[name])


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", WORLDS)
async def test_random_walks_agree(name: str, seed: int, database: Database, tenants: Tenants) -> None:
    world = WORLDS[name]
    choose = random.Random(f"{name} {seed}")  # noqa: S311 - a fixed seed is the point
    pair = Pair(await open_product(database, tenants.alice, world))
    taken: list[Step] = []
    for _ in range(60):
        if choose.random() < ASKED_ANYWAY:
            await pair.take((choose.choice(sorted(CONTROL)), 0))
        possible = [step for step, _ in steps(world, pair.state) if expressible(pair.state, step)]
        if not possible:
            break
        weights = [12 if step[0] in FAIR and step[0] != "tick" else 1 for step in possible]
        taken.append(choose.choices(possible, weights)[0])
        try:
            await pair.take(taken[-1])
        except AssertionError as error:
            error.add_note("\n".join(map(str, taken)))
            raise


def expressible(state: State, step: Step) -> bool:
    """Whether the product takes this step at all: it releases only what it has tried."""
    return step[0] != "release" or bool(state.notes[int(step[2])].deliveries)
