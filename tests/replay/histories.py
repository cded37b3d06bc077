"""Golden histories: how they are kept, and how a run becomes one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

FOLDER = Path(__file__).parent / "histories"


def names() -> list[str]:
    """All shapes that are kept."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def content(name: str) -> dict[str, Any]:
    """One of them, as it lies in its file."""
    kept: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return kept


def keep(name: str, recorded: WorkflowHistory) -> None:
    """Write one, without the names of the processes and the machine that recorded it."""
    text = recorded.to_json()
    for process in sorted(set(values(json.loads(text), "identity")) - {""}, key=len, reverse=True):
        text = text.replace(process, "worker")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n")


def values(node: Any, key: str) -> Iterator[Any]:
    """Every value under `key`, however deep."""
    if isinstance(node, dict):
        for name, one in node.items():
            if name == key:
                yield one
            yield from values(one, key)
    elif isinstance(node, list):
        for one in node:
            yield from values(one, key)
