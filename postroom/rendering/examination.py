"""Looks at the texts of a template that is about to be kept: what is wrong with each, and what it asks for."""

from collections.abc import Sequence
from typing import Any

from postroom.rendering.scripts import find, located
from postroom.rendering.stage import Stage
from postroom.rendering.trouble import Refused, Trouble


def examine(stage: Stage, texts: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Check and compile every text, given as field and source; answers `troubles` and `used` in the same order.

    `used` has the names a text takes from outside, each with the line and column where it stands first.
    """
    troubles, used = list[dict[str, Any] | None](), list[dict[str, Any]]()
    for field, source in texts:
        trouble, names = _looked_at(stage, field, source)
        troubles.append(trouble.plain() if trouble else None)
        used.append(names)
    return {"troubles": troubles, "used": used}


def _looked_at(stage: Stage, field: str, source: str) -> tuple[Trouble | None, dict[str, Any]]:
    try:
        stage.compile(field, source)
        return None, {name: find(name, source) for name in sorted(stage.asked(field))}
    except Refused as refusal:
        return located(refusal, field, source), {}
