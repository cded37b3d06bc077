"""kill -9 around the hand-off of webhooks: none is lost, and every copy is known by its id and told in the ledger."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from postroom.channels.webhook.destinations import PLACES
from tests.chaos.caller import Caller
from tests.chaos.gates import Gate
from tests.chaos.hooks import TAKEN, HookScene, add_endpoint
from tests.chaos.house import POSTGRES, SECOND_WORKER, WORKER, House
from tests.chaos.oracle import Verdict, ended
from tests.chaos.report import Report
from tests.chaos.rounds import kill_and_start
from tests.chaos.scene import END_SECONDS
from tests.fixtures.receiver import Receiver, receiving
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

BARRIERS = (TAKEN, Gate.MARKED, Gate.RECORDING)
AFTERLIFE_SECONDS = 1.0
DEFERRED = "SELECT FROM deliveries WHERE notification_id = ANY(%s) AND state = 'deferred'"


@pytest.fixture(scope="module")
async def receiver(running_house: House) -> AsyncIterator[Receiver]:
    async with receiving() as running:
        await add_endpoint(running_house, running)
        yield running


@pytest.fixture
async def scene(house: House, caller: Caller, receiver: Receiver, request: pytest.FixtureRequest) -> HookScene:
    return HookScene(house, caller, str(request.node.name), receiver)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("rounds")))


async def stand(scene: HookScene, barrier: str) -> None:
    """Bring a crowd to the barrier."""
    if barrier != TAKEN:
        await scene.stand_at(Gate(barrier))
        return
    scene.hold()
    await scene.send_crowd()
    await scene.taken()


async def held(scene: HookScene, verdict: Verdict) -> None:
    """Judge a round: all arrived, and a second copy is one the ledger tells of and the receiver can tell."""
    assert verdict.faults.keys() <= {"duplicates"}
    assert verdict.duplicates.keys() <= set(verdict.resent)
    assert await scene.states() == {"sent": len(scene.ids)}


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("barrier", BARRIERS)
@pytest.mark.parametrize("victim", [WORKER, POSTGRES])
async def test_every_copy_is_known(scene: HookScene, report: Report, victim: str, barrier: str) -> None:
    try:
        await stand(scene, barrier)
        await kill_and_start(scene, victim)
        verdict = await scene.judged()
    finally:
        await scene.let_go()
    report.add(scene.name, f"{victim}, hooks", scene, verdict)
    await held(scene, verdict)
    assert verdict.duplicates or (victim, barrier) != (WORKER, TAKEN), "what a dead worker had sent was sent again"


@pytest.mark.usefixtures("seed")
async def test_a_receiver_is_killed_with_webhooks_in_its_hands(scene: HookScene, report: Report) -> None:
    await stand(scene, TAKEN)
    await scene.receiver.fall()
    await asyncio.sleep(scene.chance.choice((0.0, 0.5, 2.0)))
    await scene.let_go()
    await scene.receiver.come_back()
    verdict = await scene.judged()
    report.add(scene.name, "receiver, hooks", scene, verdict)
    await held(scene, verdict)


@pytest.mark.usefixtures("seed")
async def test_a_receiver_hangs_with_webhooks_in_its_hands(scene: HookScene, report: Report) -> None:
    await stand(scene, TAKEN)
    await until(lambda: scene.house.rows(DEFERRED, scene.ids), END_SECONDS)
    await scene.let_go()
    verdict = await scene.judged()
    report.add(scene.name, "hanging receiver", scene, verdict)
    await held(scene, verdict)


@pytest.mark.usefixtures("seed")
async def test_a_worker_frozen_after_the_mark_sends_nothing_when_it_wakes_up(scene: HookScene, report: Report) -> None:
    house = scene.house
    await stand(scene, Gate.MARKED)
    house.freeze(WORKER)
    await scene.let_go()
    await house.start(SECOND_WORKER)
    await ended(house, scene.ids, END_SECONDS)
    house.thaw(WORKER)
    await asyncio.sleep(AFTERLIFE_SECONDS)
    verdict = await scene.judged()
    report.add(scene.name, "frozen, hooks", scene, verdict)
    assert not verdict.faults


async def test_a_backlog_drains_through_kills(scene: HookScene, report: Report) -> None:
    count, kills = report.size(200, 1_000), report.size(2, 20)
    await scene.house.tell(WORKER, {"POSTROOM_PAGE_SIZE": "50"})
    await scene.load(count // 2)
    for number in range(kills):
        await kill_in_the_middle(scene, BARRIERS[number % len(BARRIERS)], count // 2 // kills)
    verdict = await scene.judged(300)
    report.add(f"hooks-{count}", "worker, hooks", scene, verdict)
    await held(scene, verdict)
    assert len(verdict.duplicates.keys() & verdict.unknown.keys()) <= PLACES * kills


async def kill_in_the_middle(scene: HookScene, barrier: str, wave: int) -> None:
    """Kill the worker at a barrier; a new wave sees to it that somebody comes to stand there."""
    try:
        if barrier == TAKEN:
            scene.hold()
            await scene.load(wave)
            await scene.taken()
        else:
            await scene.shut(Gate(barrier))
            await scene.load(wave)
            await scene.reached(Gate(barrier))
        await kill_and_start(scene, WORKER)
    finally:
        await scene.let_go()
