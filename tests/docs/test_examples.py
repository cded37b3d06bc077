"""What the documents tell a newcomer to paste works, and every route is told about."""

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from api.app import create_app
from api.v1.jobs.views import JobView
from api.v1.notifications.batch_bodies import NewBatch
from api.v1.notifications.bodies import NewNotification
from api.v1.notifications.views import AcceptedView
from api.v1.refusals import ProblemView
from api.v1.reports.stats import StatsView
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Database
from postroom.local.welcome import BODY
from postroom.settings import Settings
from tests.architecture.source import house
from tests.docs.curls import Curl
from tests.docs.pages import CHECKOUT, Page, page, pages
from tests.docs.stage import demo
from tests.fixtures.database import Tenants
from tests.fixtures.plain_http import plain_client

PREFIX = "/api/v1"
API = "http://127.0.0.1:8000"
CODE = re.compile(r"`(?:\d{3} )?([a-z]+(?:_[a-z]+)+)`")
TOLD = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[a-z][\w/{}.-]*)`")
GUIDES = [one for one in pages() if one.path.parent == CHECKOUT / "docs"]
ELSEWHERE = {
    *("total_users", "sheduled_at"),  # the earlier API shape, and a slip of the pen
    *("price_alerts", "first_name", "unsubscribe_url", "preferences_url"),  # a tenant's own words
    *("link_broken", "link_empty", "link_relative", "image_broken", "image_empty", "image_relative"),  # put together
    *(f"guard_{rail}" for rail in ("bounce_rate", "complaint_rate", "policy_refusals", "render_failures")),
    *(f"task_{state}" for state in TaskState),
    "attributes_too_deep",
}


def routes() -> set[tuple[str, str]]:
    """Method and path of everything the API describes."""
    settings = {"database_url": "postgresql:///", "smtp_url": "smtp://127.0.0.1", "sealing_keys": "", "pepper": ""}
    paths: dict[str, Any] = create_app(Settings.model_validate(settings)).openapi()["paths"]
    return {(method.upper(), path.removeprefix(PREFIX)) for path, methods in paths.items() for method in methods}


async def test_the_readme_can_be_pasted(database: Database, settings: Settings, tenants: Tenants) -> None:
    curls = [Curl.read(block) for block in page("README.md").blocks("sh")]
    async with demo(database, settings, tenants.alice.slug) as (url, key), plain_client() as wire:
        variables = {"$KEY": key, API: url}
        later, over_the_next_channel, to_many, not_at_all, asleep, why, *campaign = curls
        first = await later.send(wire, variables)
        assert (first.status_code, first.json()["status"]) == (202, "scheduled"), first.text
        second = await over_the_next_channel.send(wire, variables)
        assert second.status_code == 202, second.text
        many = await to_many.send(wire, variables)
        assert (many.status_code, many.json()["counts"]["open"]) == (202, 3), many.text
        third = await not_at_all.send(wire, variables | {"$ID": first.json()["id"]})
        assert (third.status_code, third.json()["outcome"]) == (200, "cancelled"), third.text
        fourth = await asleep.send(wire, variables)
        assert fourth.status_code == 202, fourth.text
        asked = await why.send(wire, variables)
        assert [one["reason"] for one in asked.json()["channels"]] == ["quiet_hours"], asked.text
        counted, launched = [await curl.send(wire, variables) for curl in campaign[:2]]
        assert counted.json() == {"matched": 6, "reachable": 5, "excluded": {"no_address": 1}}
        assert (launched.status_code, launched.json()["state"]) == (202, "scheduled"), launched.text
        report = await campaign[2].send(wire, variables | {"$TASK": launched.json()["id"]})
        assert report.json()["state"] == "scheduled", report.text


def test_the_first_curl_of_the_local_stack_is_a_notification() -> None:
    assert NewNotification.model_validate(json.loads(BODY)).title


@pytest.mark.parametrize(
    ("number", "model"),
    [*enumerate([NewNotification, AcceptedView, NewBatch, NewBatch, JobView, StatsView]), (7, ProblemView)],
)
def test_the_bodies_of_the_guide_are_what_the_api_speaks(number: int, model: type[BaseModel]) -> None:
    body = json.loads(page("docs/api.md").blocks("json")[number])
    assert set(model.model_validate(body).model_dump(mode="json", by_alias=True, exclude_unset=True)) == set(body)


def test_every_field_of_a_message_is_told() -> None:
    known = {**NewNotification.model_fields, **NewBatch.model_fields}
    fields = {field.alias or name for name, field in known.items()}
    assert {name for name in fields if f"`{name}`" not in page("docs/api.md").text} == set()


def test_every_route_is_told_and_no_other() -> None:
    told = {route for document in GUIDES for route in TOLD.findall(document.text)}
    assert told == {route for route in routes() if route[1] != "/docs"}


@pytest.mark.parametrize("document", GUIDES, ids=lambda one: one.path.name)
def test_every_code_and_field_that_is_named_exists(document: Page) -> None:
    spelled = {word for module in house() for word in re.findall(r"[a-z]+(?:_[a-z]+)+", module.text)}
    assert set(CODE.findall(document.text)) - spelled - ELSEWHERE == set()
