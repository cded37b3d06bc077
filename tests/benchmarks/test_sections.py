"""The sections: each is described, an unknown one is refused, and what they send is well formed."""

import json
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import SECTIONS
from benchmarks.letters import batch

CHECKOUT = Path(__file__).parents[2]


def test_the_page_describes_every_section_in_the_order_of_the_run() -> None:
    page = (CHECKOUT / "docs/benchmarks.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(SECTIONS)


def test_an_unknown_section_is_refused_before_anything_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "accept", "speed"], cwd=CHECKOUT, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"there is no section speed" in done.stderr
    assert done.stdout == b""


def test_a_batch_is_one_request_that_names_everybody_once() -> None:
    head, _, body = batch("/api/v1/notifications/batch", "pr_key", ["b0-0", "b0-1"]).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /api/v1/notifications/batch HTTP/1.1"
    assert f"Content-Length: {len(body)}" in lines
    assert json.loads(body)["user_ids"] == ["b0-0", "b0-1"]
