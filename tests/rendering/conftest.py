"""Renderers with children of their own, and a stage in this process."""

from collections.abc import AsyncIterator

import pytest

from postroom.rendering.renderer import Renderer
from postroom.rendering.stage import Stage


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with Renderer(2).open(warm=False) as opened:
        yield opened


@pytest.fixture(scope="session")
async def shared() -> AsyncIterator[Renderer]:
    async with Renderer(2).open(warm=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage()
