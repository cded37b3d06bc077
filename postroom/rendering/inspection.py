"""Looks at templates before they are kept, in a child: no source is ever parsed where others are waiting."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from postroom.rendering.casts import sources
from postroom.rendering.limits import INSPECTION_SECONDS, SOURCE
from postroom.rendering.renderer import Renderer, in_time
from postroom.rendering.trouble import Code, Trouble
from postroom.templates.casting import ALWAYS_THERE
from postroom.templates.content import Content
from postroom.templates.inspection import Inspection, Place, Problem


class RenderingInspector:
    """An inspector that checks and compiles every text as it would be for sending."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def inspect(self, tenant_id: UUID, content: Content) -> Inspection:
        """Look at every text; one tenant's sources wait for each other and for nobody else.

        Raises:
            Unavailable: no renderer can be started, or none is free in time.
        """
        texts = list(_texts(content))
        large = [Problem(*_too_large(), Place(pointer, 1, 1)) for pointer, _, text in texts if len(text) > SOURCE]
        if large:
            return Inspection(large)
        asked = [(field, text) for _, field, text in texts]
        found = await in_time(self._renderer.examine(tenant_id, asked))
        if "slow" in found:
            detail = f"Compiling this template takes more than {INSPECTION_SECONDS:g} s or too much memory."
            return Inspection([Problem(Code.TOO_EXPENSIVE, detail, Place(""))])
        problems, used = list[Problem](), dict[str, Place]()
        for (pointer, _, _), plain, names in zip(texts, found["troubles"], found["used"], strict=True):
            if plain:
                problems.append(_problem(Trouble.read(plain), pointer))
            for name, at in names.items():
                used.setdefault(name, Place(pointer, *(at or ())))
        return Inspection(problems, {name: place for name, place in used.items() if name not in ALWAYS_THERE})


def _texts(content: Content) -> Iterator[tuple[str, str, str]]:
    for position, variant in enumerate(content.variants):
        for tag, script in variant.languages.items():
            for field, text in sources(script).items():
                yield f"/variants/{position}/languages/{tag}/{field}", field, text


def _problem(trouble: Trouble, pointer: str) -> Problem:
    detail = f"{trouble.variable}: {trouble.detail}" if trouble.variable else trouble.detail
    return Problem(trouble.code, detail, Place(pointer, trouble.line, trouble.column))


def _too_large() -> tuple[Any, str]:
    return Code.TOO_COMPLEX, f"A text has at most {SOURCE} characters."
