"""`make up`: it starts, says where everything is, brings back what is killed, and leaves nothing behind."""

import json
import re
import shlex
import signal
import socket
import stat
import tempfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from postroom.local.processes import lives
from tests.local.running import RunningStack, gone
from tests.local.waiting import eventually

PARTS = ["postgres", "temporal", "mailbox", "worker", "api"]
BACK_SECONDS = 20


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """One stack for the tests of this file; each leaves it running."""
    with tempfile.TemporaryDirectory(prefix="postroom-stack-") as folder:
        running = RunningStack(Path(folder) / "data")
        try:
            running.start()
            yield running
        finally:
            running.end()


def pasted(curl: str) -> tuple[int, dict[str, str]]:
    """Do what a shell does with the printed command."""
    words = shlex.split(curl)
    assert words[0] == "curl"
    host, path = re.fullmatch(r"http://([^/]+)(/.*)", words[1]).groups()  # type: ignore[union-attr]
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    connection = HTTPConnection(host, timeout=10)
    connection.request("POST", path, words[words.index("-d") + 1], headers)
    response = connection.getresponse()
    answer: dict[str, str] = json.loads(response.read())
    connection.close()
    return response.status, answer


def got(port: int, path: str, key: str = "") -> tuple[int, str]:
    """Read one page."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def printed_curl(words: str, path: str = "notifications") -> str:
    found = re.search(rf"curl \S*/{path} .*?-d '[^']*'", words, re.DOTALL)
    assert found is not None, words
    return found[0]


def answers(stack: RunningStack) -> bool:
    """Whether the whole stack is ready, as its own API sees it."""
    try:
        return bool(json.loads(got(stack.ports["API"], "/api/v1/ready")[1])["status"] == "ready")
    except OSError:
        return False


def test_the_printed_command_sends_a_mail(stack: RunningStack) -> None:
    status, answer = pasted(printed_curl(stack.words()))
    assert status == 202, answer

    eventually(lambda: "ada@example.com" in got(stack.ports["MAILBOX_HTTP"], "/")[1], 15)


def test_the_printed_campaign_is_launched_and_sent(stack: RunningStack) -> None:
    status, answer = pasted(printed_curl(stack.words(), "campaigns/send"))
    assert (status, answer["state"]) == (202, "scheduled"), answer

    def counts() -> dict[str, int]:
        found: dict[str, int] = json.loads(got(stack.ports["API"], path, stack.demo_key())[1])["counts"]
        return found

    path = f"/api/v1/tasks/{answer['id']}"
    eventually(lambda: counts() == {"accepted": 4, "pending": 1, "skipped": 1}, 30)
    assert "fatima@example.com" in got(stack.ports["MAILBOX_HTTP"], "/")[1]


def test_the_data_folder_is_private(stack: RunningStack) -> None:
    for path in (stack.data_dir, *stack.data_dir.rglob("*")):
        others = stat.S_IMODE(path.lstat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
        assert others & ~(stat.S_IXGRP | stat.S_IXOTH) == 0 or "postgres" in path.parts, path
    assert stat.S_IMODE((stack.data_dir / "credentials.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", PARTS)
def test_a_killed_part_is_back_by_itself(stack: RunningStack, name: str) -> None:
    killed = stack.part(name)
    heard = len(stack.words())
    killed.kill()

    line = re.compile(rf"^{name} .*killed by SIGKILL.*running again after", re.MULTILINE)
    eventually(lambda: line.search(stack.words()[heard:]), BACK_SECONDS)
    assert stack.part(name) != killed
    assert lives(stack.part(name))
    assert len(stack.words()[heard:].splitlines()) == 1, stack.words()[heard:]


def test_it_works_after_every_part_was_killed(stack: RunningStack) -> None:
    for name in PARTS:
        stack.part(name).kill()
    eventually(lambda: answers(stack), 20)
    seen = got(stack.ports["MAILBOX_HTTP"], "/api/v1/messages")[1]
    status, _ = pasted(printed_curl(stack.words()).replace("Hello Ada", "Still here"))
    assert status == 202
    assert "Still here" not in seen
    eventually(lambda: "Still here" in got(stack.ports["MAILBOX_HTTP"], "/")[1], 30)


def test_a_second_one_on_the_same_folder_is_refused(stack: RunningStack) -> None:
    heard = len(stack.words())
    assert stack.command("up").wait(20) == 1
    said = stack.words()[heard:]
    assert "already runs" in said
    assert "make down" in said
    assert "Traceback" not in said
    assert stack.process is not None
    assert stack.process.poll() is None


def test_ctrl_c_leaves_no_process_and_the_next_start_finds_everything(stack: RunningStack) -> None:
    key = stack.demo_key()
    _, answer = pasted(printed_curl(stack.words()))
    family = stack.family()
    assert len(family) > len(PARTS)

    assert stack.stop(signal.SIGINT) == 0
    assert gone(family)
    assert "stopped in" in stack.words()

    stack.start()
    assert stack.demo_key() == key
    assert got(stack.ports["API"], f"/api/v1/notifications/{answer['id']}", key)[0] == 200


def test_what_a_killed_supervisor_left_is_ended_at_the_next_start(stack: RunningStack) -> None:
    assert stack.process is not None
    left = [process for process in stack.family() if process.pid != stack.process.pid]
    stack.process.kill()
    stack.process.wait()
    assert not gone(left)

    said = stack.start()
    assert gone(left)
    assert "ended what an earlier stack left running: api, mailbox, postgres, temporal, worker" in said


def test_a_port_in_use_is_one_clear_sentence(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "data")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", stack.ports["API"]))
        taken.listen()
        assert stack.command("up").wait(20) == 1
    (sentence,) = [line for line in stack.words().splitlines() if "in use" in line]
    assert f"Port {stack.ports['API']} (API)" in sentence
    assert "POSTROOM_API_PORT" in sentence
    assert "Traceback" not in stack.words()


def test_a_port_that_is_none_is_one_clear_sentence(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "data")
    assert stack.command("up", POSTROOM_API_PORT="eighty").wait(20) == 1
    (line,) = stack.words().splitlines()
    assert "POSTROOM_API_PORT" in line
    assert "'eighty'" in line


def test_an_operators_command_is_carried_out_against_it(stack: RunningStack, tmp_path: Path) -> None:
    before = stack.words()
    assert stack.command("run", "keys", "add", "demo", "--name", "reviewer").wait(60) == 0
    said = stack.words().removeprefix(before)
    assert re.match(r"pr_\w+\nThis is the only time the key is shown", said), said
    assert stack.command("run", "keys", "add", "nobody").wait(60) == 1
    assert "Traceback" not in stack.words()
    elsewhere = RunningStack(tmp_path / "nothing")
    assert elsewhere.command("run", "keys", "list").wait(20) == 1
    assert "There is no stack" in elsewhere.words()


def test_down_ends_it_from_another_terminal(stack: RunningStack) -> None:
    family = stack.family()
    assert stack.command("down").wait(60) == 0
    assert stack.process is not None
    assert stack.process.wait(5) == 0
    assert gone(family)
