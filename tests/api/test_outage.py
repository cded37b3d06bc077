"""While the database is away everything says so quickly, and when it is back everything goes on by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from api.app import create_app
from postroom.database.engine import Database
from postroom.settings import Settings
from tests.api.conftest import LETTER, Caller, calling, problem
from tests.fixtures.database import Tenants
from tests.fixtures.interruption import Interruption, interruptible
from tests.fixtures.serving import serving

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

QUICK_SECONDS = 6.5
MANY = {"user_ids": ["ada", "bob"], "channel": "in_app", "title": "Hello", "content": "Good day."}

SPOKEN = {"channel": "email", "template": "welcome", "metadata": {"campaign": "spring"}}


@dataclass(frozen=True, slots=True)
class Scene:
    """A caller of an API whose way to the database can be interrupted."""

    alice: Caller
    way: Interruption

    async def everything(self) -> list[tuple[int, str, float]]:
        """Ask all kinds of things at once: status, code and seconds of each."""
        asked = [
            self.alice.post("/notifications", LETTER, Idempotency_Key="k"),
            self.alice.send(),
            self.alice.post("/notifications/batch", MANY, Idempotency_Key="many"),
            self.alice.post("/notifications", {**SPOKEN, "user_id": "ada"}),
            self.alice.post("/notifications/batch", {**SPOKEN, "user_ids": ["ada"]}),
            self.alice.wire.get("/api/v1/templates"),
            self.alice.wire.put("/api/v1/settings/review", json={"required": True}),
            self.alice.wire.get("/api/v1/notifications"),
            self.alice.wire.get("/api/v1/jobs"),
            self.alice.wire.get("/api/v1/stats"),
            self.alice.post(f"/jobs/job_{'0' * 32}/cancel"),
            self.alice.wire.get("/api/v1/contacts/ada"),
            self.alice.wire.put("/api/v1/contacts/ada", json={}),
            self.alice.post(f"/notifications/notif_{'0' * 32}/cancel"),
        ]
        started = time.monotonic()
        answers = []
        for done in asyncio.as_completed(asked):
            answer = await done
            answers.append((answer.status_code, problem(answer)[1], time.monotonic() - started))
            assert int(answer.headers["retry-after"]) >= 1
        return answers

    async def recovered(self) -> None:
        async with asyncio.timeout(20):
            while (await self.alice.send()).status_code != 202:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.2)


@pytest.fixture
async def scene(database: Database, settings: Settings, tenants: Tenants) -> AsyncIterator[Scene]:
    async with interruptible(settings.database_url) as way:
        changed = settings.model_copy(update={"database_url": way.url})
        async with serving(create_app(changed)) as url, calling(database, changed, url, tenants.alice) as alice:
            assert (await alice.send()).status_code == 202
            yield Scene(alice, way)
            await way.begin()


@pytest.mark.parametrize("how", ["cut", "frozen"])
async def test_away_and_back(scene: Scene, how: str) -> None:
    if how == "cut":
        await scene.way.cut()
    else:
        scene.way.freeze()
    for _ in range(2):
        answers = await scene.everything()
        assert {(status, code) for status, code, _ in answers} == {(503, "storage_unavailable")}
        assert max(seconds for *_, seconds in answers) < QUICK_SECONDS
    assert (await scene.alice.wire.get("/health")).status_code == 200
    ready = await scene.alice.wire.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert "database" in ready.json()["down"]

    await scene.way.begin()
    await scene.recovered()
    again = [await scene.alice.post("/notifications", LETTER, Idempotency_Key="k") for _ in range(2)]
    assert [answer.status_code for answer in again] == [202, 202]
    assert again[0].json() == again[1].json()
    jobs = [await scene.alice.post("/notifications/batch", MANY, Idempotency_Key="many") for _ in range(2)]
    assert [answer.status_code for answer in jobs] == [202, 202]
    assert [one["job_id"] for one in (await scene.alice.get("/jobs"))["items"]] == [jobs[0].json()["job_id"]]


async def test_an_api_starts_before_its_database(database: Database, settings: Settings, tenants: Tenants) -> None:
    async with interruptible(settings.database_url) as way:
        await way.cut()
        changed = settings.model_copy(update={"database_url": way.url})
        async with serving(create_app(changed)) as url, calling(database, changed, url, tenants.alice) as alice:
            assert problem(await alice.send())[:2] == (503, "storage_unavailable")
            await way.begin()
            await Scene(alice, way).recovered()
