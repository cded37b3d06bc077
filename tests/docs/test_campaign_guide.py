"""The guide to campaigns, pasted from top to bottom against an API and a worker: from a file to the report."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.directory import Directory
from tests.docs.curls import Curl
from tests.docs.pages import page
from tests.docs.stage import demo, worker
from tests.docs.test_worked_examples import examples, lacking
from tests.fixtures.database import make_tenants
from tests.fixtures.plain_http import plain_client

GUIDE = "docs/campaigns.md"
PATIENCE = 90.0  # a reader looks again until it has happened
# What the guide calls the id that was answered there.
CALLED = {
    "$API/campaigns/send": ("$SENT", "/id"),
    "$API/contacts/imports?tag=november": ("$JOB", "/job_id"),
    "$API/campaigns": ("$CAMPAIGN", "/id"),
    "$API/tasks": ("$TASK", "/id"),
    "$API/tasks/$TASK/submit": ("$HASH", "/approval/content_hash"),
    "$API/admin/sender-services": ("$SVC", "/id"),
    "$API/mail-domains": ("$DOMAIN", "/id"),
}


@pytest.fixture
def life(settings: Settings, fresh_database_url: str) -> Settings:
    """A deployment of its own, as fast as life."""
    return settings.model_copy(update={"database_url": fresh_database_url, "time_scale": 1.0})


async def test_the_guide_can_be_pasted_from_top_to_bottom(
    life: Settings, fresh_database: Database, tmp_path: Path
) -> None:
    slug = (await make_tenants(fresh_database)).alice.slug
    directory = Directory(fresh_database, life.pepper.get_secret_value().encode())
    reviewer, _ = await directory.add_key(slug, "reviewer")
    [people] = page(GUIDE).blocks("csv")
    async with demo(fresh_database, life, slug) as (url, key), worker(life, tmp_path):
        variables = {"$API": f"{url}/api/v1", "$KEY": key, "$REVIEWER": reviewer.text, "@people.csv": people}
        async with plain_client(timeout=PATIENCE) as wire:
            for curl, shown in examples(GUIDE):
                told = await said(curl, shown, wire, variables)
                if called := CALLED.get(curl.url):
                    variables[called[0]] = at(told, called[1])


async def said(curl: Curl, shown: dict[str, Any], wire: httpx2.AsyncClient, variables: dict[str, str]) -> Any:
    """Send it, and what only reads again until the answer is what is shown; returns the answer."""
    latest = asyncio.get_running_loop().time() + PATIENCE
    while True:
        answer = await curl.send(wire, variables)
        assert answer.is_success, (curl, answer.text)
        is_json = answer.headers.get("content-type") == "application/json" and answer.content
        told = json.loads(answer.text) if is_json else answer.text
        missing = lacking(shown, told) if shown else []
        if not missing:
            return told
        again = curl.method == "GET" and asyncio.get_running_loop().time() < latest
        assert again, (curl, missing, told)
        await asyncio.sleep(0.2)


def at(answer: Any, pointer: str) -> str:
    """What stands in an answer at a place."""
    for part in pointer.split("/")[1:]:
        answer = answer[part]
    return str(answer)


def test_every_command_of_the_guide_is_one_that_is_pasted() -> None:
    fenced = len(page(GUIDE).blocks("sh"))
    assert fenced == len(list(examples(GUIDE))) == len(re.findall(r"^curl ", page(GUIDE).text, re.MULTILINE))
