"""Who leaves by a link in a mail of a task stands in its report: once, whichever page they did it on."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx2
import pytest

from postroom.database.engine import Database
from postroom.identity import TASK, address_hash, public_id
from postroom.person_pages.links import Bearer, LinkMaker
from postroom.settings import Settings
from tests.api.conftest import Caller
from tests.fixtures.frozen_tasks import Sending, sending_task
from tests.fixtures.rows import rows

FORM = {"content-type": "application/x-www-form-urlencoded"}
NEWS = {"group": "offers", "class": "marketing", "description": "What is new"}
ALL_OFF = {"shown": ["marketing", "email.news"], "was": ["marketing", "email.news"], "on": ["email.news"]}
NOTHING_ENDED = {**ALL_OFF, "on": ["marketing", "email.news"], "pause": "week"}
CLICK, PAGE = "/u/{}", "/p/{}"
DELIVERIES = "SELECT id FROM deliveries WHERE task_id = %s ORDER BY seq"


def hashed(message: UUID) -> bytes:
    return address_hash(b"any", "email", str(message))


@dataclass(frozen=True, slots=True)
class Mails:
    """Four mails of a task, and what the links in them say: of the second and third nobody knows a name (any more)."""

    alice: Caller
    task: Sending
    bearers: Sequence[Bearer]
    links: LinkMaker
    wire: httpx2.AsyncClient

    async def post(self, place: str, bearer: Bearer, form: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Answer the page behind a link."""
        path = place.format(self.links.token(bearer))
        body = urlencode(form, doseq=True).encode()
        assert (await self.wire.post(path, content=body, headers=FORM)).status_code == 200

    async def left(self) -> tuple[int, list[int]]:
        """How many the report says have left, and who they are."""
        path = f"/tasks/{public_id(TASK, self.task.id)}"
        report = await self.alice.get(f"{path}/report")
        listed = await self.alice.get(f"{path}/recipients", unsubscribed=True)
        return report["feedback"]["unsubscribed"], [one["seq"] for one in listed["items"]]


@pytest.fixture
async def mails(alice: Caller, database: Database, settings: Settings, api_url: str) -> AsyncIterator[Mails]:
    """Three of the four have got theirs."""
    assert (await alice.wire.put("/api/v1/notification-types/news", json=NEWS)).status_code == 201
    task = await sending_task(database, alice.tenant.id, 4)
    await task.become("accepted", 1, 2, 3)
    for number in (1, 4):
        await alice.wire.put(f"/api/v1/contacts/user_{number}", json={"addresses": {"email": f"{number}@shop.de"}})
    made = [row["id"] for row in await rows(database, DELIVERIES, task.id)]
    bearers = [
        Bearer(alice.tenant.id, user_id, address_hash=hashed(message), notification_type="news", delivery_id=message)
        for user_id, message in zip(["user_1", "erased", None, "user_4"], made, strict=True)
    ]
    links = LinkMaker.parse(settings.sealing_keys.get_secret_value(), settings.public_url)
    async with httpx2.AsyncClient(base_url=api_url, trust_env=False, timeout=20) as wire:
        yield Mails(alice, task, bearers, links, wire)


async def test_one_click_counts_once_and_stays_counted(mails: Mails) -> None:
    for place in (CLICK, CLICK, f"{CLICK}/undo"):
        await mails.post(place, mails.bearers[0])
    assert await mails.left() == (1, [1])


async def test_whoever_has_no_name_counts_too(mails: Mails) -> None:
    for bearer in mails.bearers[1:3]:
        await mails.post(CLICK, bearer)
    assert await mails.left() == (2, [2, 3])


async def test_so_does_the_page_of_preferences_when_an_offer_ended_there(mails: Mails) -> None:
    await mails.post(PAGE, mails.bearers[0], NOTHING_ENDED)
    assert await mails.left() == (0, [])
    for bearer in (mails.bearers[0], mails.bearers[2]):
        await mails.post(PAGE, bearer, ALL_OFF)
    assert await mails.left() == (2, [1, 3])


async def test_what_nobody_got_and_what_is_not_theirs_counts_for_nobody(mails: Mails, decoy: Caller) -> None:
    never_sent, of_no_task, of_another_tenant = (
        mails.bearers[3],
        replace(mails.bearers[0], delivery_id=None),
        replace(mails.bearers[0], tenant_id=decoy.tenant.id),
    )
    for bearer in (never_sent, of_no_task, of_another_tenant):
        await mails.post(CLICK, bearer)
    assert await mails.left() == (0, [])
