"""A mailroom with a sink behind it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.database.engine import Database
from postroom.timing import Timing
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import Mailroom, open_mailroom

FAST = replace(
    Timing(),
    hand_off_patience=timedelta(seconds=1),
    command_patience=timedelta(seconds=1),
    mark_to_body=timedelta(seconds=1),
    absence_window=timedelta(seconds=0.3),
    evidence_pause=timedelta(seconds=0.1),
    hold=timedelta(seconds=1),
    retry_first=timedelta(minutes=1),
    outage_first=timedelta(seconds=0.2),
    outage_last=timedelta(seconds=0.2),
)


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A sink of the test's own."""
    async with Sink.open() as opened:
        yield opened


@pytest.fixture
async def mailroom(database: Database, sink: Sink) -> AsyncIterator[Mailroom]:
    """Everything that sends a task but the engine."""
    async with open_mailroom(database, sink, FAST) as opened:
        yield opened
