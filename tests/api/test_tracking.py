"""The addresses behind a mail's links: they always answer, lead nowhere of anybody's choosing, and are recorded."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from api.app import create_app
from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tracking.tokens import Mail, Target, TokenMaker, spelled
from tests.fixtures.database import Tenants
from tests.fixtures.interruption import interruptible
from tests.fixtures.plain_http import plain_client
from tests.fixtures.rows import change, rows
from tests.fixtures.sent import mailing, recipient
from tests.fixtures.serving import serving

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}
SHOP = "https://shop.example.com/spring?a=1&b=2#top"


@pytest.fixture
async def browser(api_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with plain_client(base_url=api_url, headers=BROWSER) as wire:
        yield wire


@pytest.fixture
async def mail(database: Database, tenants: Tenants) -> Mail:
    task = await mailing(database, tenants.alice.id)
    return Mail(task.tenant_id, await recipient(database, task))


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a mail's link and image lead."""

    click: str
    pixel: str


@pytest.fixture
def paths(settings: Settings, mail: Mail) -> Paths:
    tokens = TokenMaker.parse(settings.sealing_keys.get_secret_value(), settings.public_url)
    made = (tokens.links(mail)(spelled(Target(SHOP, 4))), tokens.pixel(mail))
    return Paths(*(url.removeprefix(settings.public_url) for url in made))


async def touches(database: Database, mail: Mail, count: int) -> list[tuple[str, int | None, str | None]]:
    """Wait for so many touches, which are written behind the answer."""
    for _ in range(400):
        found = await rows(
            database,
            "SELECT kind, link, machine FROM delivery_touches WHERE delivery_id = %s ORDER BY id",
            mail.delivery_id,
        )
        if len(found) >= count:
            break
        await asyncio.sleep(0.05)
    return [(row["kind"], row["link"], row["machine"]) for row in found]


async def test_a_click_leads_where_the_mail_led(
    browser: httpx2.AsyncClient, paths: Paths, mail: Mail, database: Database
) -> None:
    answer = await browser.get(paths.click)
    assert (answer.status_code, answer.headers["location"], answer.content) == (302, SHOP, b"")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store, private"
    assert "set-cookie" not in answer.headers
    head = await browser.head(paths.click)
    assert (head.status_code, head.headers["location"]) == (302, SHOP)
    assert await touches(database, mail, 2) == [("click", 4, None), ("click", 4, "head")]


async def test_an_open_shows_an_image(
    browser: httpx2.AsyncClient, paths: Paths, mail: Mail, database: Database
) -> None:
    for headers in ({}, {"User-Agent": "Mozilla/5.0"}, {"Sec-Purpose": "prefetch"}):
        answer = await browser.get(paths.pixel, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        assert answer.content.startswith(b"GIF89a")
        assert answer.headers["cache-control"] == "no-store, private"
    assert [one[2] for one in await touches(database, mail, 3)] == [None, "apple_privacy", "prefetch"]


async def test_an_image_is_whole_however_little_was_asked_for(
    browser: httpx2.AsyncClient, paths: Paths, mail: Mail, database: Database
) -> None:
    whole = await browser.get(paths.pixel)
    for asked in ("bytes=0-3", "bytes=9-", "bytes=abc", "lines=1"):
        answer = await browser.get(paths.pixel, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, whole.content)
    head = await browser.head(paths.pixel)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(whole.content)))
    assert [one[2] for one in await touches(database, mail, 6)] == [None] * 5 + ["head"]


async def test_a_token_of_another_tenant_is_none(  # noqa: PLR0913 - one fixture each
    browser: httpx2.AsyncClient, settings: Settings, tenants: Tenants, mail: Mail, database: Database
) -> None:
    """Whoever puts their own tenant, or another's, in front of what was sealed has made nothing."""
    tokens = TokenMaker.parse(settings.sealing_keys.get_secret_value(), settings.public_url)
    good = tokens.links(mail)(spelled(Target(SHOP, 4))).rpartition("/")[2]
    raw = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
    moved = base64.urlsafe_b64encode(tenants.decoy.id.bytes + raw[16:]).decode().rstrip("=")
    answer = await browser.get(f"/track/click/{moved}")
    assert (answer.status_code, "location" in answer.headers) == (404, False)
    theirs = Mail(tenants.decoy.id, mail.delivery_id)  # as if their key had sealed it
    assert (await browser.get(tokens.pixel(theirs).removeprefix(settings.public_url))).status_code == 200
    assert (await browser.get(f"/track/click/{good}")).status_code == 302
    assert await touches(database, mail, 1) == [("click", 4, None)]


async def test_a_link_of_somebody_erased_leads_on_and_brings_nobody_back(
    browser: httpx2.AsyncClient, paths: Paths, mail: Mail, database: Database
) -> None:
    await change(database, "UPDATE deliveries SET address = NULL, address_hash = NULL WHERE id = %s", mail.delivery_id)
    await change(database, "UPDATE task_recipients SET user_id = NULL WHERE delivery_id = %s", mail.delivery_id)
    answer = await browser.get(paths.click)
    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    assert await touches(database, mail, 1) == [("click", 4, None)]
    [row] = await rows(database, "SELECT user_id FROM task_recipients WHERE delivery_id = %s", mail.delivery_id)
    assert row["user_id"] is None


async def test_a_forged_token_opens_nothing_and_leads_nowhere(
    browser: httpx2.AsyncClient, paths: Paths, mail: Mail, database: Database
) -> None:
    good, pixel = paths.click, paths.pixel
    for path in ("/track/open/x.gif", pixel.replace(".gif", "A.gif"), f"/track/open/{good.rpartition('/')[2]}.gif"):
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    for path in ("/track/click/x", good[:-4] + "AAAA", "/track/click/" + pixel.rpartition("/")[2].removesuffix(".gif")):
        answer = await browser.get(path)
        assert (answer.status_code, "location" in answer.headers) == (404, False)
        assert answer.headers["content-type"].startswith("text/html")
    await asyncio.sleep(0.1)
    assert await touches(database, mail, 0) == []


@pytest.mark.parametrize(
    "asked", ["url=https://evil.example", "u=//evil.example", "url=javascript:alert(1)", "%0d%0aX"]
)
async def test_the_query_names_no_target(browser: httpx2.AsyncClient, paths: Paths, asked: str) -> None:
    answer = await browser.get(f"{paths.click}?{asked}")
    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    answer = await browser.get(f"/track/click/forged?{asked}")
    assert (answer.status_code, "location" in answer.headers) == (404, False)
    assert "evil" not in answer.text


async def test_nothing_but_looking_is_answered(browser: httpx2.AsyncClient, paths: Paths) -> None:
    answer = await browser.post(paths.click)
    assert answer.status_code == 405


async def test_a_click_leads_on_while_the_database_is_away(
    paths: Paths, mail: Mail, settings: Settings, database: Database
) -> None:
    async with interruptible(settings.database_url) as way:
        changed = settings.model_copy(update={"database_url": way.url})
        async with (
            serving(create_app(changed)) as url,
            plain_client(base_url=url, headers=BROWSER, timeout=2) as wire,
        ):
            await way.cut()
            answer = await wire.get(paths.click)
            assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
            assert (await wire.get(paths.pixel)).status_code == 200
            assert await touches(database, mail, 0) == []
            await way.begin()
            found = await touches(database, mail, 2)
    assert found == [("click", 4, None), ("open", None, None)]
