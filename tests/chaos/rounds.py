"""One round: notifications on their way, some of them standing at named barriers, and a kill."""

import asyncio

from tests.chaos.gates import Gate
from tests.chaos.house import API, POSTGRES, TEMPORAL, House
from tests.chaos.oracle import Verdict
from tests.chaos.plans import AT_THE_DOOR, CONVERSATION, STOPS, Plan
from tests.chaos.scene import REACH_SECONDS, Scene
from tests.fixtures.waiting import until

WRITTEN = "SELECT count(*) AS count FROM notification_contents WHERE metadata->>'email' = ANY(%s)"


async def play(scene: Scene, plan: Plan) -> Verdict:
    """Kill at the barrier, start again, and judge once everything has ended or had its time."""
    try:
        if plan.barrier in AT_THE_DOOR:
            await kill_at_the_door(scene, plan.victim, Gate(plan.barrier))
        else:
            await _gather(scene, plan.barrier)
            await kill_and_start(scene, plan.victim)
        return await scene.judged()
    finally:
        await scene.let_go()


async def _gather(scene: Scene, barrier: str) -> None:
    if barrier != CONVERSATION:
        await scene.stand_at(Gate(barrier))
        return
    await scene.send_crowd()
    await scene.stand_in_the_sink(list(STOPS))
    await scene.note_standing()


async def kill_and_start(scene: Scene, victim: str) -> None:
    """Let the barriers go while the victim is down; Temporal and Postgres also come back to a standstill at times."""
    await asyncio.sleep(scene.chance.choice((0.0, 0.01, 0.1)))
    await scene.house.kill(victim)
    standstill = victim in (TEMPORAL, POSTGRES) and scene.chance.random() < 0.5
    if not standstill:
        await scene.let_go()
    await scene.house.start(victim)
    await scene.let_go()


async def kill_at_the_door(scene: Scene, victim: str, gate: Gate) -> None:
    """Kill around the commit while callers wait for their answers, and let them repeat their requests.

    Before the commit nothing may be left of a request; after it, the repeated one finds the row of the first.
    """
    house, letters = scene.house, scene.crowd()
    addresses = [letter.address for letter in letters]
    await scene.shut(gate)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(scene.caller.send_all(letters))
        await scene.reached(gate)
        if victim == API and gate is Gate.COMMITTING:
            # Frozen, it cannot hear that its COMMIT was carried out: it dies between the commit and the answer.
            house.freeze(API)
            await scene.let_go()
            await until(lambda: _count(house, addresses), REACH_SECONDS)
        await house.kill(victim)
        await scene.let_go()
        await house.start(victim)
    scene.ids += sending.result()
    assert len(set(scene.ids)) == len(letters)
    assert await _count(house, addresses) == len(letters)


async def _count(house: House, addresses: list[str]) -> int:
    return int((await house.rows(WRITTEN, addresses))[0]["count"])
