"""Mails of a task leave with their links led over the house; positions are the task's, whoever sends a page."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from postroom.channels.base import Bulk, Parcel
from postroom.contracts.vocabulary import Priority
from postroom.database.engine import Database
from postroom.identity import new_id
from postroom.rendering.speech import Words
from postroom.tracking.dressing import Dresser
from postroom.tracking.links import LinkBook
from postroom.tracking.tokens import Target
from tests.fixtures.database import Tenants
from tests.fixtures.links import PUBLIC_URL, TOKENS
from tests.fixtures.rows import rows
from tests.fixtures.sent import Mailing, mailing

HTML = (
    '<html><body><a href="https://shop.example.com/spring">Buy</a> <a href="https://shop.example.com/for/{0}">Yours</a>'
    f' <a href="{PUBLIC_URL}/u/x">Unsubscribe</a> <a href="mailto:a@b.de">Write</a></body></html>'
)


SHARED = "https://shop.example.com/shared"


def parcel(of: Mailing, seq: int, *, opens: bool = True, clicks: bool = True) -> Parcel:
    return Parcel(
        delivery_id=UUID(int=seq),
        notification_id=None,
        tenant_id=of.tenant_id,
        address=f"p{seq}@shop.de",
        sender="a@b.de",
        resolved_at=datetime(2026, 11, 20, tzinfo=UTC),
        priority=Priority.LOW,
        bulk=Bulk(of.task_id, new_id(), seq, track_opens=opens, track_clicks=clicks),
    )


def words(seq: int) -> Words:
    return Words("Spring", None, HTML.format(seq))


def links(dressed: Words) -> list[str]:
    return re.findall(r'href="([^"]+)"', dressed.html or "")


def target(link: str) -> Target:
    read = TOKENS.clicked(link.removeprefix(f"{PUBLIC_URL}/track/click/"))
    assert read is not None
    return read[1]


async def test_common_links_have_positions_and_personal_ones_travel_alone(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    dresser = Dresser(LinkBook(database), TOKENS)
    page = [(parcel(task, seq), words(seq)) for seq in range(1, 8)]
    dressed = await dresser.dress(tenants.alice.id, page)
    for seq, one in enumerate(dressed, start=1):
        common, personal, *untouched = links(one)
        assert target(common) == Target("https://shop.example.com/spring", 1)
        assert target(personal) == Target(f"https://shop.example.com/for/{seq}", 0)
        assert untouched == [f"{PUBLIC_URL}/u/x", "mailto:a@b.de"]
        assert f'<img src="{PUBLIC_URL}/track/open/' in (one.html or "")
        assert (one.html or "").endswith('style="border:0"></body></html>')
    kept = await rows(database, "SELECT position, url, tenant_id FROM task_links WHERE task_id = %s", task.task_id)
    assert kept == [{"position": 1, "url": "https://shop.example.com/spring", "tenant_id": tenants.alice.id}]
    again = await Dresser(LinkBook(database), TOKENS).dress(tenants.alice.id, page)
    assert [one.html for one in again] == [one.html for one in dressed]


async def test_the_plain_part_keeps_its_links(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    [dressed] = await Dresser(LinkBook(database), TOKENS).dress(tenants.alice.id, [(parcel(task, 1), words(1))])
    assert "https://shop.example.com/spring" in (dressed.text or "")
    assert "/track/" not in (dressed.text or "")


async def test_only_what_is_asked_for_is_tracked(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    dresser = Dresser(LinkBook(database), TOKENS)
    plain, opened, clicked = await dresser.dress(
        tenants.alice.id,
        [
            (parcel(task, 1, opens=False, clicks=False), words(1)),
            (parcel(task, 2, clicks=False), words(2)),
            (parcel(task, 3, opens=False), words(3)),
        ],
    )
    assert plain.html == HTML.format(1)
    assert ("/track/open/" in (opened.html or ""), "/track/click/" in (opened.html or "")) == (True, False)
    assert ("/track/open/" in (clicked.html or ""), "/track/click/" in (clicked.html or "")) == (False, True)
    frozen = replace(parcel(task, 4), message=b"as it was")
    single = replace(parcel(task, 5), bulk=None, notification_id=new_id())
    assert await dresser.dress(tenants.alice.id, [(frozen, words(4)), (single, words(5))]) == [words(4), words(5)]


async def test_what_two_mails_share_is_common_and_nothing_else_is_kept(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    book = LinkBook(database)

    async def positions(delivery_id: int, *urls: str) -> dict[str, int]:
        return dict(await book.positions(task.tenant_id, task.task_id, {UUID(int=delivery_id): urls}))

    assert await positions(1, SHARED, "https://a.example/ada") == {}
    assert await positions(1, SHARED, "https://a.example/ada") == {}  # the same mail, worded again
    assert await positions(2, SHARED, "https://a.example/bea") == {SHARED: 1}
    kept = await rows(database, "SELECT url FROM task_links WHERE task_id = %s", task.task_id)
    assert [row["url"] for row in kept] == [SHARED]


async def test_two_processes_agree_about_positions(database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)

    async def known(book: LinkBook, *urls: str) -> dict[str, int]:
        mails = dict.fromkeys((UUID(int=1), UUID(int=2)), urls)
        return dict(await book.positions(task.tenant_id, task.task_id, mails))

    one, other = LinkBook(database), LinkBook(database)
    assert await known(one, SHARED, "https://b.example/") == {SHARED: 1, "https://b.example/": 2}
    everything = {SHARED: 1, "https://b.example/": 2, "https://c.example/": 3}
    assert await known(other, "https://c.example/", "https://b.example/") == everything
    assert await known(one, "https://c.example/") == everything


async def test_links_of_two_tenants_stay_apart(database: Database, tenants: Tenants) -> None:
    book = LinkBook(database)
    for tenant, url in ((tenants.decoy, "https://decoy.example/"), (tenants.alice, SHARED)):
        task = await mailing(database, tenant.id)
        mails = {UUID(int=1): [url], UUID(int=2): [url]}
        assert await book.positions(tenant.id, task.task_id, mails) == {url: 1}
    async with database.tenant_transaction(tenants.alice.id) as connection:
        seen = await (await connection.execute("SELECT url FROM task_links")).fetchall()
    assert [row["url"] for row in seen] == [SHARED]
