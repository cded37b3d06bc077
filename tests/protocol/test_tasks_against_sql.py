"""The model of a bulk send and the product's own SQL, step by step side by side, in random walks with fixed seeds."""

import os
import random

import pytest

from postroom.database.engine import Database
from tests.fixtures.database import Tenants
from tests.protocol.task_pairing import OPERATORS, TaskPair, parsed
from tests.protocol.task_sql import open_task
from tests.protocol.task_steps import wrong
from tests.protocol.tasks import Terms

SEEDS = round(float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1")) * 4)
ASKED_ANYWAY = 0.05  # how often an operator asks for something whether or not the model allows it
STEPS = 100
USUAL = 40
RARELY = {"tick": 9, "finish": 12, "look": 18, "poke": 18, "pause": 3, "silence": 9, "give back": 3}
RARELY |= dict.fromkeys(("skip", "cancel", "terminate", "kill", "dead"), 1)
WALKS = {
    "one": Terms(recipients=1, faults=8, actions=12),
    "two": Terms(recipients=2, faults=8, actions=12),
    "four": Terms(recipients=4, faults=6, actions=8),
    "nobody steers": Terms(recipients=3, faults=8, actions=0),
}

BEGUN = "poke; look; begin 0; claim 0 0; "
MARKED = BEGUN + "mark 0 0; "
OVER = "; look; look"
STORIES = {
    "paused between claim and mark": BEGUN + "pause; give back 0 0; finish 0; look; resume; poke; look; begin 0",
    "cancelled between claim and mark": BEGUN + "cancel; give back 0 0; finish 0" + OVER,
    "cancelled with the body sent": MARKED + "cancel; dot taken 0 0; record 250 0 0; finish 0" + OVER,
    "left out between claim and mark": BEGUN + "skip 0; give back 0 0; finish 0" + OVER,
    "refused, over, taken up again": MARKED
    + "dot refused 0 0; record 550 0 0; finish 0; look; look; retry; poke; look; begin 0; claim 0 0; mark 0 0; "
    "dot taken 0 0; record 250 0 0; finish 0" + OVER,
    "found behind a pass that stands still": MARKED
    + "dot taken 0 0; terminate; tick; lapse 0; poke; look; begin 1; ask 1 0; finish 1; look; look; record 250 0 0; "
    "finish 0",
    "a 250 learned after the end": MARKED
    + "dot taken 0 0; terminate; cancel; tick; lapse 0; poke; look; begin 1; ask too early 1 0; finish 1; look; look; "
    "record 250 0 0; finish 0; correct 0; poke; look; begin 1; finish 1" + OVER,
    "settled by a pass nobody waits for": MARKED
    + "dot taken 0 0; terminate; tick; watch; poke; look; begin 1; record 250 0 0; finish 0; tick; watch; poke; look; "
    "finish 1" + OVER,
    "refused for now while it is paused": MARKED
    + "dot deferred 0 0; pause; record 450 0 0; finish 0; look; resume; poke; look; tick; look; begin 0; claim 0 0",
}


@pytest.mark.parametrize("name", STORIES)
async def test_statements_follow_the_model_through(name: str, database: Database, tenants: Tenants) -> None:
    terms = Terms(recipients=1, faults=4, actions=4)
    pair = TaskPair(terms, await open_task(database, tenants.alice, terms.recipients))
    for step in STORIES[name].split("; "):
        await pair.take(step, dict(pair.possible())[step])
        assert not wrong(pair.send)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", WALKS)
async def test_random_walks_agree(name: str, seed: int, database: Database, tenants: Tenants) -> None:
    terms = WALKS[name]
    choose = random.Random(f"{name} {seed}")  # noqa: S311 - a fixed seed is the point
    pair = TaskPair(terms, await open_task(database, tenants.alice, terms.recipients))
    await pair.compare("the freeze")
    taken: list[str] = []
    try:
        for _ in range(STEPS):
            if choose.random() < ASKED_ANYWAY:
                asked = choose.choice(OPERATORS), choose.randrange(terms.recipients)
                taken.append(f"{asked}, anyway")
                await pair.refuse(*asked)
            possible = pair.possible()
            if not possible:
                break
            weights = [RARELY.get(parsed(step)[0], USUAL) for step, _ in possible]
            [(step, after)] = choose.choices(possible, weights)
            taken.append(step)
            await pair.take(step, after)
            assert not wrong(pair.send)
    except AssertionError as error:
        error.add_note("\n".join(taken))
        raise
