"""The worked examples of the guides do what they say, one after the other."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any

import httpx2
import pytest

from postroom.database.engine import Database
from postroom.settings import Settings
from tests.docs.curls import Curl
from tests.docs.pages import page
from tests.docs.stage import demo
from tests.fixtures.database import Tenants
from tests.fixtures.plain_http import plain_client

GUIDES = ["docs/templates.md", "docs/who-gets-what.md"]
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```", re.DOTALL | re.MULTILINE)
STAND_IN = re.compile(r"_019a9f3c|^9f86d081")  # an id or a hash that is another one each time
CALLED = {"$API/notifications": "$ID", "$API/sequences": "$SEQ"}  # what the guides call the id of what was made there
READER = {"time_zone": "Europe/Berlin"}


@pytest.fixture
async def variables(database: Database, settings: Settings, tenants: Tenants) -> AsyncIterator[dict[str, str]]:
    """What a reader's shell has set."""
    async with demo(database, settings, tenants.alice.slug) as (url, key):
        yield {"$API": f"{url}/api/v1", "$KEY": key}


@pytest.mark.parametrize("name", GUIDES)
async def test_a_guide_can_be_pasted_from_top_to_bottom(name: str, variables: dict[str, str]) -> None:
    async with plain_client() as wire:
        for curl, shown in examples(name):
            answer = await curl.send(wire, variables)
            told = json.loads(plain(answer.text))
            assert answer.is_success is not refused(shown), (curl, told)
            assert lacking(shown, told) == [], curl
            if (called := CALLED.get(curl.url)) and "id" in told:
                variables[called] = told["id"]


async def test_the_filters_say_what_the_table_says(variables: dict[str, str]) -> None:
    table = next(rows for rows in page(GUIDES[0]).tables() if "currency" in rows[0][0])
    headers = {"Authorization": f"Bearer {variables['$KEY']}"}
    async with plain_client(base_url=variables["$API"], headers=headers) as wire:
        await wire.put("/contacts/reader", json=READER)
        for source, *said in table:
            for language, expected in zip(("en", "de"), said, strict=True):
                assert await rendered(wire, source.strip("`").replace("\\|", "|"), language) == expected, source


def test_what_is_missing_from_an_answer_is_noticed() -> None:
    answer = {"id": "notif_1", "items": [{"name": "a", "more": 1}, {"name": "b"}]}
    assert lacking({"id": "notif_019a9f3c", "items": [{"name": "a"}]}, answer) == []
    assert lacking({"id": "notif_2", "items": [{"name": "b"}]}, answer) == ["/id", "/items/0/name"]
    assert lacking({"items": [{}, {}, {}]}, answer) == ["/items/2"]


def refused(shown: dict[str, Any]) -> bool:
    """Whether the answer that is shown is a refusal."""
    return shown.get("status") == HTTPStatus.UNPROCESSABLE_ENTITY


def examples(name: str) -> Iterator[tuple[Curl, dict[str, Any]]]:
    """The curls of a page, each with the answer that is shown right behind it."""
    blocks = [(match[1], match[2]) for match in BLOCK.finditer(page(name).text)]
    for (language, text), (following, shown) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "sh":
            yield Curl.read(text), json.loads(shown) if following == "json" else {}


def lacking(shown: Any, answer: Any, place: str = "") -> list[str]:
    """Say where an answer has not what is shown of it; it may have more."""
    if isinstance(shown, dict) and isinstance(answer, dict):
        return [one for key in shown for one in lacking(shown[key], answer.get(key, ...), f"{place}/{key}")]
    if isinstance(shown, list) and isinstance(answer, list):
        padded = [*answer, *[...] * (len(shown) - len(answer))]
        return [one for at, part in enumerate(shown) for one in lacking(part, padded[at], f"{place}/{at}")]
    stands_in = isinstance(shown, str) and STAND_IN.search(shown) and isinstance(answer, str)
    return [] if stands_in or shown == answer else [place]


async def rendered(wire: httpx2.AsyncClient, source: str, language: str) -> str:
    """What a template says to somebody in Berlin."""
    template = {"name": "cell", "channel": "in_app", "title": "cell", "content": source, "language": language}
    answer = await wire.post("/templates/preview", json={"template": template, "user_id": "reader"})
    return plain(str(answer.json().get("text")))


def plain(text: str) -> str:
    """No-break spaces as they are typed in a document."""
    return re.sub("[\u00a0\u202f]", " ", text)
