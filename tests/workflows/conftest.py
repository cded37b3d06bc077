"""The workflow suite runs twice: as in production, and with every step replayed from the beginning."""

import pytest

from postroom.database.engine import Database
from workflows import workers


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """A database that only this test uses: its relay hands over whatever it finds."""
    return fresh_database


@pytest.fixture(autouse=True, params=[workers.CACHED_WORKFLOWS, 0], ids=["cached", "replayed"])
def cached_workflows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a cache each task replays the whole history so far: whatever is not deterministic breaks here."""
    monkeypatch.setattr(workers, "CACHED_WORKFLOWS", request.param)
