"""Going through a page in turns."""

import asyncio

from postroom.turns import TURN, in_turns


async def test_others_have_their_turn_before_a_page_is_over() -> None:
    reached: list[int] = []
    seen_beside: list[int] = []

    async def beside() -> None:
        while True:
            await asyncio.sleep(0)
            seen_beside.append(len(reached))

    task = asyncio.create_task(beside())
    async for number in in_turns(range(3 * TURN)):
        reached += [number]
    task.cancel()
    assert reached == list(range(3 * TURN))
    assert any(0 < count < 3 * TURN for count in seen_beside)
