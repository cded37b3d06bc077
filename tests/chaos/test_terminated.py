"""A carrier's workflow is terminated by hand at any moment: its messages end all the same, once."""

import pytest

from tests.chaos.caller import Caller
from tests.chaos.gates import Gate
from tests.chaos.house import House
from tests.chaos.scene import Scene
from tests.chaos.terminating import terminate_running

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

STOPS = ("250", "dot", "354", "data", "rcpt")


async def test_while_messages_are_handed_off(house: House, caller: Caller) -> None:
    scene = Scene(house, caller, "terminated-conversation")
    await scene.stand_in_the_sink(STOPS)
    assert await terminate_running(house, scene.ids) == len(STOPS)
    await scene.let_go()
    assert not (await scene.judged()).faults


@pytest.mark.parametrize("gate", [Gate.CLAIMING, Gate.RECORDING, Gate.SETTLING])
async def test_while_a_transition_is_written(house: House, caller: Caller, gate: Gate) -> None:
    scene = Scene(house, caller, f"terminated-{gate}")
    await scene.stand_at(gate)
    await terminate_running(house, scene.ids)
    await scene.let_go()
    assert not (await scene.judged()).faults
