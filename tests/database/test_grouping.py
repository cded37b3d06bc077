"""Requests share statements: those that come while one runs."""

import asyncio
from collections.abc import Sequence

import pytest

from postroom.database.grouping import GroupCommit


class Statements:
    """What was carried out together; each statement takes its time."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    async def carry_out(self, group: Sequence[int]) -> list[int]:
        self.groups.append(list(group))
        await asyncio.sleep(0.01)
        if 13 in group:
            raise LookupError
        return [-one for one in group]


async def test_what_comes_while_a_statement_runs_shares_the_next() -> None:
    statements = Statements()
    commit = GroupCommit(statements.carry_out, 3)

    first = asyncio.create_task(commit.ask(0))
    await asyncio.sleep(0.001)
    others = await asyncio.gather(*(commit.ask(n) for n in range(1, 6)))

    assert [await first, *others] == [0, -1, -2, -3, -4, -5]
    assert statements.groups == [[0], [1, 2, 3], [4, 5]]


async def test_a_failure_is_told_to_its_own_group() -> None:
    statements = Statements()
    commit = GroupCommit(statements.carry_out, 2)

    ends = await asyncio.gather(*(commit.ask(n) for n in (1, 13, 2, 3)), return_exceptions=True)

    assert [type(end) for end in ends] == [LookupError, LookupError, int, int]


async def test_who_gave_up_does_not_hold_up_the_others() -> None:
    statements = Statements()
    commit = GroupCommit(statements.carry_out, 2)
    given_up, other = asyncio.create_task(commit.ask(1)), asyncio.create_task(commit.ask(2))
    await asyncio.sleep(0.001)

    given_up.cancel()

    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await other == -2


async def test_whoever_was_answered_and_asks_again_soon_is_waited_for() -> None:
    """Two halves that took turns become one group: one of them is answered while the other one waits."""

    async def groups(turns: int) -> list[int]:
        statements = Statements()
        commit = GroupCommit(statements.carry_out, 8, turns)

        async def keep_asking(at_once: bool) -> None:  # noqa: FBT001 - which half
            if not at_once:
                await asyncio.sleep(0.001)
            for number in range(4):
                await commit.ask(number)
                for _ in range(3):  # an answer, an envelope: the loop goes round some times
                    await asyncio.sleep(0)

        await asyncio.gather(*(keep_asking(number < 4) for number in range(8)))
        return [len(group) for group in statements.groups]

    assert await groups(0) == [4] * 8
    assert await groups(10) == [4, 8, 8, 8, 4]


async def test_a_full_group_waits_for_nobody() -> None:
    statements = Statements()
    commit = GroupCommit(statements.carry_out, 2, 1_000)

    assert await asyncio.gather(*(commit.ask(number) for number in range(6))) == [-number for number in range(6)]

    assert statements.groups == [[0, 1], [2, 3], [4, 5]]
