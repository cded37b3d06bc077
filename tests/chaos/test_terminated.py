"""A carrier's workflow is terminated by hand at any moment: its messages end all the same, once."""

import pytest

from tests.chaos.caller import Caller
from tests.chaos.gates import Gate
from tests.chaos.house import House
from tests.chaos.scene import Scene
from workflows.engine import connect

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

CARRIERS = """
SELECT DISTINCT c.workflow_id FROM carriers c JOIN notifications n ON n.carrier_id = c.id WHERE n.id = ANY(%s)
"""
STOPS = ("250", "dot", "354", "data", "rcpt")


async def terminate_all(house: House, scene: Scene) -> int:
    """Terminate the runs of all carriers of a scene; returns how many."""
    client = await connect(house.temporal_address, "default")
    carriers = await house.rows(CARRIERS, scene.ids)
    for row in carriers:
        await client.get_workflow_handle(row["workflow_id"]).terminate("by hand")
    return len(carriers)


async def test_while_messages_are_handed_off(house: House, caller: Caller) -> None:
    scene = Scene(house, caller, "terminated-conversation")
    await scene.stand_in_the_sink(STOPS)
    assert await terminate_all(house, scene) == len(STOPS)
    await scene.let_go()
    assert not (await scene.judged()).faults


@pytest.mark.parametrize("gate", [Gate.CLAIMING, Gate.RECORDING, Gate.SETTLING])
async def test_while_a_transition_is_written(house: House, caller: Caller, gate: Gate) -> None:
    scene = Scene(house, caller, f"terminated-{gate}")
    await scene.stand_at(gate)
    await terminate_running(house, scene)
    await scene.let_go()
    assert not (await scene.judged()).faults


async def terminate_running(house: House, scene: Scene) -> None:
    """Terminate what has a run: at a gate, some carriers may not have been started yet."""
    client = await connect(house.temporal_address, "default")
    started = {one.id async for one in client.list_workflows("ExecutionStatus = 'Running'")}
    for row in await house.rows(CARRIERS, scene.ids):
        if row["workflow_id"] in started:
            await client.get_workflow_handle(row["workflow_id"]).terminate("by hand")
