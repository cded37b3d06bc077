"""The children of a renderer: killed, stuck, shut in, and no bridge between tenants."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from postroom.errors import Unavailable
from postroom.rendering import process
from postroom.rendering.child import Player
from postroom.rendering.limits import BATCH
from postroom.rendering.process import Child
from postroom.rendering.renderer import Renderer, batches
from postroom.rendering.scripts import Script
from postroom.rendering.speech import Line, Words
from postroom.rendering.stage import Stage
from postroom.rendering.trouble import Code, Trouble

HELLO = {"title": "Hello {{ name }}", "text": "{{ name }}, {{ name }}!"}

STUCK = """
import os, signal, sys
from postroom.rendering import child, stage
render = stage.Stage.render
def poisoned(self, template, values):
    if values.get("name") == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if values.get("name") == "slow":
        while True: pass
    return render(self, template, values)
stage.Stage.render = poisoned
sys.argv = ["child", "0"]
child.main()
"""


def line(name: str, key: str = "hello") -> Line:
    return Line(key, HELLO, "en", None, {"name": name})


def hello(name: str) -> Words:
    return Words(f"Hello {name}", f"{name}, {name}!", None)


@pytest.fixture
def poisoned(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> Renderer:
    """A renderer whose children kill themselves, or never end, at certain names."""
    spawn = asyncio.create_subprocess_exec

    async def other(*_: object, **given: object) -> asyncio.subprocess.Process:
        return await spawn(sys.executable, "-c", STUCK, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", other)
    return renderer


async def test_a_page_comes_back_in_its_order(renderer: Renderer) -> None:
    names = [f"n{number}" for number in range(2 * BATCH + 7)]
    assert await renderer.speak(uuid4(), [line(name) for name in names]) == [hello(name) for name in names]


async def test_a_child_that_was_killed_is_replaced(renderer: Renderer) -> None:
    child = await Child.start(0)
    try:
        assert [some async for some in child.speak([line("a")], 10)] == [[hello("a")]]
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(process.Gone):
            [some async for some in child.speak([line("a")], 10)]
    finally:
        await child.end()
    tenant = uuid4()
    await renderer.speak(tenant, [line("a")])
    for pid in children_of(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    assert await renderer.speak(tenant, [line("a"), line("b")]) == [hello("a"), hello("b")]


async def test_one_that_kills_its_child_fails_alone(poisoned: Renderer) -> None:
    names = ["a", "b", "poison", "c", "d"]
    spoken = await poisoned.speak(uuid4(), [line(name) for name in names])
    assert [spoken[at] for at in (0, 1, 3, 4)] == [hello(name) for name in ("a", "b", "c", "d")]
    assert isinstance(spoken[2], Trouble)
    assert spoken[2].code == Code.TIMEOUT


async def test_one_that_never_ends_fails_alone_and_its_tenant_waits_apart(poisoned: Renderer) -> None:
    tenant = uuid4()
    spoken = await poisoned.speak(tenant, [line("a"), line("slow"), line("b")])
    assert (spoken[0], spoken[2]) == (hello("a"), hello("b"))
    assert isinstance(spoken[1], Trouble)
    assert spoken[1].code == Code.TIMEOUT
    before = set(children_of(os.getpid()))
    assert await poisoned.speak(tenant, [line("c")]) == [hello("c")]
    [apart] = set(children_of(os.getpid())) - before
    assert await poisoned.speak(uuid4(), [line("c")]) == [hello("c")]
    assert set(children_of(os.getpid())) - before == {apart}


async def test_who_gives_up_waiting_leaves_nothing_behind(poisoned: Renderer) -> None:
    tenant = uuid4()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await poisoned.speak(tenant, [line("a"), line("slow")])
    assert await poisoned.speak(tenant, [line("b")]) == [hello("b")]


async def test_no_child_no_words(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.rendering.process.sys.executable", "/nowhere/python")
    with pytest.raises(Unavailable):
        await renderer.speak(uuid4(), [line("a")])


async def test_a_worn_child_makes_room(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.rendering.process.RENDERINGS", 3)
    tenant, seen = uuid4(), set[int]()
    for _ in range(4):
        assert await renderer.speak(tenant, [line("a"), line("b")]) == [hello("a"), hello("b")]
        seen |= set(children_of(os.getpid()))
    assert len(seen) >= 2


async def test_tenants_share_neither_scripts_nor_values(renderer: Renderer) -> None:
    alice, bob = uuid4(), uuid4()
    ours = Line(f"{alice}/t", {"text": "{% set secret = name %}{{ secret }}"}, "en", None, {"name": "alice"})
    theirs = Line(f"{bob}/t", {"text": "{{ secret | default('nothing') }} {{ name | default('nobody') }}"}, "en")
    for _ in range(3):
        assert await renderer.speak(alice, [ours]) == [Words(text="alice")]
        assert await renderer.speak(bob, [theirs]) == [Words(text="nothing nobody")]


async def test_many_scripts_push_out_the_oldest_and_it_still_speaks(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.rendering.process.SCRIPTS", 3)
    tenant = uuid4()
    for _ in range(2):
        for number in range(5):
            assert await renderer.speak(tenant, [line("a", f"k{number}")]) == [hello("a")]


async def test_long_scripts_push_out_others_too(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.rendering.process.SCRIPT_CHARACTERS", 100)
    tenant = uuid4()
    together = [line(f"n{number}", f"k{number}") for number in range(5)]
    for _ in range(2):
        assert await renderer.speak(tenant, together) == [hello(f"n{number}") for number in range(5)]
        for number in range(5):
            assert await renderer.speak(tenant, [line("a", f"k{number}")]) == [hello("a")]


@pytest.mark.parametrize(("room", "compiled"), [(10**6, ["a", "b"]), (1, ["a", "b", "a", "b"])])
def test_compiled_scripts_leave_room_for_values(
    room: int, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.rendering.child.CODE", room)
    monkeypatch.setattr("postroom.rendering.child.Allowance.grant", lambda *_: None)  # this process shall live on
    compile_script, seen = Script.compile, list[str]()

    def noted(stage: Stage, sources: Mapping[str, str]) -> Script | Trouble:
        seen.append(sources["text"])
        return compile_script(stage, sources)

    monkeypatch.setattr(Script, "compile", noted)
    player = Player()
    player.learn({"a": {"text": "a"}, "b": {"text": "b"}}, [])
    for key in ("a", "b", "a", "b"):
        assert player.play((key, "en", None, {})) == Words(text=key)
    assert seen == compiled


async def test_a_child_has_no_secrets_no_network_and_no_files_to_write(renderer: Renderer, tmp_path: Path) -> None:
    code = f"""
import os, socket, subprocess, sys
from postroom.rendering.child import shut_in
shut_in(0)
def refused(what):
    try:
        what()
    except OSError:
        return True
print(sorted(os.environ), refused(lambda: socket.socket()), refused(lambda: subprocess.run(["true"])),
      refused(lambda: open({str(tmp_path / "x")!r}, "w").write("x")))
"""
    told = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=process.ENVIRONMENT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await told.communicate()
    assert out.decode().split() == ["['LC_ALL',", "'PYTHONPATH']", "True", "True", "True"]


def test_heavy_values_travel_in_smaller_batches() -> None:
    light = [line("a")] * (BATCH + 1)
    heavy = [line("x" * 3_000_000)] * 3
    assert [len(batch) for batch in batches(light)] == [BATCH, 1]
    assert [len(batch) for batch in batches(heavy)] == [2, 1]
    assert list(batches([])) == []


def children_of(pid: int) -> list[int]:
    """The processes a process has started that still run a renderer."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rpartition(")")[2].split()
                running = (entry / "cmdline").read_text()
            except OSError:
                continue
            if int(status[1]) == pid and status[0] != "Z" and "postroom.rendering" in running:
                found.append(int(entry.name))
    return found
