"""Too much is said early, with numbers and a time to come back."""

import asyncio

import httpx2

from postroom.database.engine import Database
from postroom.settings import Settings
from tests.api.conftest import LETTER, Caller, early_in_a_window, limited, problem
from tests.fixtures.database import Tenants, make_tenants
from tests.fixtures.waiting import until


async def test_a_key_has_its_rate(database: Database, settings: Settings, tenants: Tenants) -> None:
    async with limited(database, settings, tenants, key_rate_per_minute=5) as alice:
        await early_in_a_window()
        answers = [await alice.wire.get("/api/v1/notifications") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0", "0"]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"5"}
    assert problem(answers[-1]) == (429, "rate_limited", [])
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].headers["ratelimit-reset"] == answers[-1].headers["retry-after"]


async def test_a_person_is_addressed_so_often_and_no_more(alice: Caller, settings: Settings) -> None:
    await early_in_a_window()
    limit = settings.user_rate_per_minute
    answers = await asyncio.gather(*(alice.send(user_id="ada") for _ in range(limit + 10)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 10
    assert problem(refused[0]) == (429, "user_rate_limited", [])
    assert refused[0].headers["ratelimit-limit"] == str(limit)
    assert int(refused[0].headers["retry-after"]) >= 1
    other = await alice.send(user_id="bob")
    assert (other.status_code, other.headers["ratelimit-remaining"]) == (202, str(limit - 1))


async def test_a_full_house_says_so(fresh_database: Database, fresh_database_url: str, settings: Settings) -> None:
    changed = settings.model_copy(update={"database_url": fresh_database_url})
    tenants = await make_tenants(fresh_database)
    async with limited(fresh_database, changed, tenants, backlog_limit=3) as alice:
        kept = await alice.post("/notifications", LETTER, Idempotency_Key="kept")
        assert (await alice.send(delay=3600)).status_code == 202  # not due: not in anybody's way
        answers: list[httpx2.Response] = []

        async def full() -> bool:  # what is accepted while a sample is taken may count twice, or only in the next one
            answers.append(await alice.send())
            return [answer.status_code for answer in answers].count(202) >= 2 and answers[-1].status_code == 429

        await until(full, 20)
        assert 2 <= [answer.status_code for answer in answers].count(202) <= 3
        assert problem(answers[-1]) == (429, "backlog_full", [])
        assert int(answers[-1].headers["retry-after"]) >= 1
        again = await alice.post("/notifications", LETTER, Idempotency_Key="kept")
        assert (again.status_code, again.json()["id"]) == (202, kept.json()["id"])
        await asyncio.sleep(1.1)  # the next sample counts the rows themselves
        await alice.send()
        await asyncio.sleep(0.2)
        assert (await alice.send()).status_code == 429
        async with fresh_database.system_transaction() as connection:
            await connection.execute("UPDATE notifications SET state = 'sent'")

        async def room() -> bool:
            return (await alice.send()).status_code == 202

        await until(room, 20)
