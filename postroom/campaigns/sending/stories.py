"""The sentences a task's timers carry in the engine's UI: what is awaited, in words, without names."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from postroom.contracts.vocabulary import TaskState


def story_of(task: Mapping[str, Any], next_at: datetime | None, turn: datetime | None = None) -> str:
    """Say what a task waits for: `starts at 2026-12-01 08:00 UTC`, `paused: requested`, `held until ...`."""
    if task["state"] == TaskState.PAUSED:
        until = f", again at {_clock(task['held_until'])}" if task["held_for"] else ""
        return f"paused: {task['reason'] or 'requested'}{until}".replace("_", " ")
    if task["frozen_at"] is None:
        return f"starts at {_clock(task['start_at'])}" if task["before_start"] else "freezing the audience"
    if task["held_for"]:
        return f"held until {_clock(task['held_until'])}: {task['held_reason'].replace('_', ' ')}"
    if turn:
        return f"by its pace the next may leave at {_clock(turn)}"
    if next_at:
        return f"the next recipients are due at {_clock(next_at)}"
    return str(task["state"])


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
