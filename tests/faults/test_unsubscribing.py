"""A link in marketing mail ends it: at the next claim, and for what a worker has claimed already."""

import base64
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from api.app import create_app
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.subscriptions.classes import Classes
from postroom.subscriptions.declaring import Kinds
from postroom.subscriptions.kinds import NewKind
from postroom.timing import Timing
from tests.faults.office import Office, address_of
from tests.fixtures.database import Tenant
from tests.fixtures.links import LINK_KEY, LINKS, PUBLIC_URL
from tests.fixtures.plain_http import plain_client
from tests.fixtures.rows import deliveries, rows
from tests.fixtures.serving import serving

ONE_CLICK = b"List-Unsubscribe=One-Click"
MARKETING: dict[str, Any] = {"message_class": "marketing"}
TRIES = 4  # all by the plan: who is held for too long is tried again, on a slow machine before the click counts


@pytest.fixture
async def pages(office: Office, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """The API's own pages, with the key that made the links of the office."""
    [here] = await rows(office.database, "SELECT current_database() AS name")
    database_url = settings.database_url.replace(str(conninfo_to_dict(settings.database_url)["dbname"]), here["name"])
    key = SecretStr("test:" + base64.b64encode(LINK_KEY).decode())
    changed = settings.model_copy(update={"database_url": database_url, "sealing_keys": key, "public_url": PUBLIC_URL})
    async with serving(create_app(changed)) as url, plain_client(base_url=url) as client:
        yield client


async def header(office: Office, one: UUID) -> Any:
    """The header of the only copy of a message."""
    assert len(await office.copies(one)) == 1
    kept = (
        "SELECT m.message FROM delivery_messages m JOIN deliveries d ON d.id = m.delivery_id WHERE notification_id = %s"
    )
    [row] = await rows(office.database, kept, one)
    return message_from_bytes(row["message"], policy=policy.default)


def path_in(field: str) -> str:
    assert field.startswith(f"<{PUBLIC_URL}/u/")
    return urlsplit(field.strip("<>")).path


async def outcome(office: Office, one: UUID) -> tuple[str, str | None]:
    row = await office.ended(one)
    [delivery] = await deliveries(office.database, one)
    return row["state"], delivery["reason"]


async def declare(database: Database, tenant: Tenant, name: str) -> None:
    kinds = Kinds(database, Classes(database, Timing()))
    await kinds.put(tenant.id, NewKind(name, "offers", MessageClass.MARKETING))


@pytest.mark.parametrize("user_id", ["ada", None])
async def test_one_click_ends_marketing_and_nothing_else(
    office: Office, pages: httpx2.AsyncClient, user_id: str | None
) -> None:
    tenant = await office.tenant()
    first = await office.send(tenant, "ok", user_id=user_id, **MARKETING)
    assert await outcome(office, first) == ("sent", "accepted")
    told = await header(office, first)
    assert told["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert path_in(told["List-Unsubscribe"]) in told.get_body(("plain",)).get_content(), "who reads it sees the way out"
    assert (await pages.post(path_in(told["List-Unsubscribe"]), content=ONE_CLICK)).status_code == 200
    again = await office.send(tenant, "ok", user_id=user_id, **MARKETING)
    assert await outcome(office, again) == ("skipped", "unsubscribed")
    needed = await office.send(tenant, "ok", user_id=user_id)
    assert await outcome(office, needed) == ("sent", "accepted")
    plain = await header(office, needed)
    assert "List-Unsubscribe" not in plain
    assert f"{PUBLIC_URL}/u/" not in plain.get_body(("plain",)).get_content()


@pytest.mark.parametrize("user_id", ["ada", None])
async def test_of_a_declared_type_one_click_ends_that_type(
    office: Office, pages: httpx2.AsyncClient, user_id: str | None
) -> None:
    tenant = await office.tenant()
    await declare(office.database, tenant, "newsletter")
    first = await office.send(tenant, "ok", user_id=user_id, notification_type="newsletter", **MARKETING)
    await office.ended(first)
    path = path_in((await header(office, first))["List-Unsubscribe"])
    assert (await pages.post(path, content=ONE_CLICK)).status_code == 200
    again = await office.send(tenant, "ok", user_id=user_id, notification_type="newsletter", **MARKETING)
    other = await office.send(tenant, "ok", user_id=user_id, notification_type="offers", **MARKETING)
    assert await outcome(office, again) == ("skipped", "unsubscribed")
    assert await outcome(office, other) == ("sent", "accepted")
    assert (await pages.post(path + "/undo")).status_code == 200
    wanted = await office.send(tenant, "ok", user_id=user_id, notification_type="newsletter", **MARKETING)
    assert await outcome(office, wanted) == ("sent", "accepted")


@pytest.mark.parametrize("stop", ["rcpt", "data"])
@pytest.mark.parametrize("user_id", ["ada", None])
async def test_between_claim_and_body_nothing_leaves_any_more(
    office: Office, pages: httpx2.AsyncClient, stop: str, user_id: str | None
) -> None:
    tenant = await office.tenant()
    first = await office.send(tenant, "ok", user_id=user_id, **MARKETING)
    await office.ended(first)
    path = path_in((await header(office, first))["List-Unsubscribe"])
    for _ in range(TRIES):
        office.sink.hold(stop, address_of(tenant, "ok"))
    claimed = await office.send(tenant, "ok", user_id=user_id, **MARKETING)
    await office.sink.held(stop)
    assert (await pages.post(path, content=ONE_CLICK)).status_code == 200
    office.sink.release(stop)
    assert await outcome(office, claimed) == ("skipped", "unsubscribed")
    assert await office.copies(claimed) == []


async def test_the_link_knows_whom_the_message_went_to(office: Office) -> None:
    tenant = await office.tenant()
    one = await office.send(tenant, "tempfail-dot-once", **MARKETING)
    assert await outcome(office, one) == ("sent", "accepted")
    [delivery] = await deliveries(office.database, one)
    told = await header(office, one)
    bearer = LINKS.read(path_in(told["List-Unsubscribe"]).removeprefix("/u/"))
    assert bearer is not None
    assert (bearer.tenant_id, bearer.user_id, bearer.channel) == (tenant.id, "ada", ChannelKind.EMAIL)
    assert bearer.address_hash == bytes(delivery["address_hash"])
