"""One part's life: retried with growing pauses when it fails, brought back at once when it is killed."""

import asyncio
import io
import os
import re
import sys
from pathlib import Path

import pytest

from postroom.local.keeper import Keeper
from postroom.local.parts import Part, says
from postroom.local.roster import Roster
from postroom.local.terminal import Terminal
from postroom.local.trouble import Trouble

STEADY = "import time; print('here I am', flush=True); time.sleep(60)"
FAILING = "import sys; sys.exit('no such thing')"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here I am', flush=True); time.sleep(60)"
)
FLOOD = "import time\nfor n in range(40): print(f'10:00:00 worker  warning: {n}', flush=True)\ntime.sleep(60)"


class Stage:
    """A keeper of one small program, and what it says."""

    def __init__(self, folder: Path, program: str, *, once: bool = False, patience: float = 5.0) -> None:
        self.said = io.StringIO()
        part = Part(
            "worker",
            [sys.executable, "-u", "-c", program],
            ready=says("here I am"),
            once=once,
            patience=patience,
        )
        self.keeper = Keeper(part, dict(os.environ), folder, (Terminal(self.said), Roster(folder)))
        self.roster = Roster(folder)

    async def until(self, words: str, seconds: float = 10.0) -> None:
        """Wait until something was said."""
        async with asyncio.timeout(seconds):
            while words not in self.said.getvalue():  # noqa: ASYNC110 - a terminal announces nothing
                await asyncio.sleep(0.02)

    @property
    def lines(self) -> list[str]:
        return self.said.getvalue().splitlines()


async def test_a_part_that_fails_again_and_again_is_retried_with_growing_pauses(tmp_path: Path) -> None:
    stage = Stage(tmp_path, FAILING)
    life = asyncio.create_task(stage.keeper.keep([]))
    await stage.until("(4 times in a row)")
    await stage.keeper.stop()
    life.cancel()

    assert all("ended by itself with code 1" in line and "no such thing" in line for line in stage.lines)
    assert [re.search(r"starting it again (now|in \d+ s)", line)[1] for line in stage.lines] == [  # type: ignore[index]
        "now",
        "in 1 s",
        "in 2 s",
    ]
    assert not stage.keeper.ready.is_set()


async def test_a_killed_part_comes_back_at_once_with_one_line(tmp_path: Path) -> None:
    stage = Stage(tmp_path, STEADY)
    life = asyncio.create_task(stage.keeper.keep([]))
    await stage.until("ready in")
    stage.roster.processes()["worker"].kill()
    await stage.until("running again")
    assert len(stage.lines) == 2
    assert "was killed by SIGKILL; running again after" in stage.lines[1]
    await stage.keeper.stop()
    await asyncio.wait_for(life, 5)
    assert stage.roster.processes() == {}


async def test_one_that_does_not_hear_the_farewell_is_killed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, DEAF, patience=0.3)
    life = asyncio.create_task(stage.keeper.keep([]))
    await stage.until("ready in")
    await stage.keeper.stop()
    await asyncio.wait_for(life, 5)
    assert stage.roster.processes() == {}


async def test_a_program_that_runs_once_stops_everything_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"worker failed: no such thing .*worker\.log"):
        await Stage(tmp_path, FAILING, once=True).keeper.keep([])


async def test_warnings_are_repeated_and_a_flood_is_not(tmp_path: Path) -> None:
    stage = Stage(tmp_path, FLOOD)
    life = asyncio.create_task(stage.keeper.keep([]))
    await stage.until("more such lines")
    await stage.keeper.stop()
    life.cancel()
    assert "worker      warning: 0" in stage.lines
    assert len(stage.lines) < 20


async def test_a_part_waits_for_the_ones_before_it(tmp_path: Path) -> None:
    first, second = Stage(tmp_path / "first", STEADY), Stage(tmp_path / "second", STEADY)
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    waiting = asyncio.create_task(second.keeper.keep([first.keeper]))
    await asyncio.sleep(0.5)
    assert second.roster.processes() == {}
    running = asyncio.create_task(first.keeper.keep([]))
    await second.until("ready in")
    for stage, life in ((first, running), (second, waiting)):
        await stage.keeper.stop()
        await asyncio.wait_for(life, 5)
