"""Services that change while a task goes over them: what was asked for holds at once, and everybody gets it once."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.identity import API_KEY, public_id
from postroom.relay.sweeping import sweep
from postroom.sender_services.bindings import BindingAction, ServiceBindings
from postroom.sender_services.models import ALL_FROZEN, ServiceStatus
from postroom.tenants.directory import Directory
from tests.channels.email.conftest import Net
from tests.channels.email.scripted import FEATURES, Late, Scripted
from tests.fixtures.house import PEPPER
from tests.fixtures.waiting import until
from tests.sender_services.office import CALM, Office
from tests.sender_services.test_tasks import Post, once_each, post_of

AUDIENCE = 600
SLOWLY = {"BODY": [Late(0.01, b"250 2.0.0 queued\r\n")] * AUDIENCE}
SIGNING_IN = (*FEATURES, "AUTH PLAIN")
REFUSED = b"535 5.7.8 wrong\r\n"
PATIENT = replace(CALM, service_pause=timedelta(hours=1), service_pause_last=timedelta(hours=1))


def passwords(server: Scripted) -> Sequence[bytes]:
    """The passwords it was told, in their order."""
    said = [line.split()[2] for line in server.lines if line.startswith(b"AUTH PLAIN ")]
    return [base64.b64decode(one).rpartition(b"\0")[2] for one in said]


@asynccontextmanager
async def under_way(post: Post, server: Scripted, state: str = "completed") -> AsyncIterator[None]:
    """Do something in the middle of a task, and wait until it has come into a state."""
    await post.launch(AUDIENCE)
    sending = asyncio.create_task(post.run_until(state))

    async def begun() -> bool:
        return len(server.received) > 50

    await until(begun, 20)
    yield
    await sending


@pytest.mark.parametrize("has_another", [False, True])
async def test_a_freeze_by_hand_lets_the_open_transactions_end_and_nothing_else(
    office: Office, net: Net, *, has_another: bool
) -> None:
    server, other = await net.serve(script=SLOWLY), await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", connections=4)
    if has_another:
        await office.service(f"smtp://127.0.0.1:{other.port}", weight=1)
    async with post_of(office) as post, under_way(post, server, "completed" if has_another else "paused"):
        await office.services.set_status(office.tenant.id, service_id, ServiceStatus.FROZEN)
        before = len(server.received)
    assert len(server.received) <= before + 4  # its connections
    assert server.connections <= 4 + 16  # a refusal costs one, of those who waited at the door already
    assert once_each(server, other) == (AUDIENCE if has_another else len(server.received))


async def test_what_is_deleted_in_the_middle_leaves_its_mail_to_the_others(office: Office, net: Net) -> None:
    server, other = await net.serve(script=SLOWLY), await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", connections=2)
    await office.service(f"smtp://127.0.0.1:{other.port}", weight=1)
    async with post_of(office) as post, under_way(post, server):
        await office.services.remove(office.tenant.id, service_id)
    assert once_each(server, other) == AUDIENCE


async def test_a_new_password_is_used_from_then_on(office: Office, net: Net) -> None:
    server = await net.serve(script=SLOWLY, features=SIGNING_IN)
    url = f"smtp://postroom@127.0.0.1:{server.port}"
    service_id = await office.service(url, connections=2, password="old")
    async with post_of(office) as post, under_way(post, server):
        assert set(passwords(server)) == {b"old"}
        await office.change(service_id, url, connections=2, password="new")
    assert set(passwords(server)) == {b"old", b"new"}
    assert once_each(server) == AUDIENCE
    assert (await office.row(service_id))["errors"] == 0


async def test_what_a_wrong_password_froze_is_tried_with_the_right_one_at_once(office: Office, net: Net) -> None:
    server = await net.serve(script={"AUTH": [REFUSED]}, features=SIGNING_IN)
    url = f"smtp://postroom@127.0.0.1:{server.port}"
    service_id = await office.service(url, connections=1, password="old", error_threshold=1)
    async with post_of(office, PATIENT) as post:
        await post.launch(5)
        await post.run_until("paused")
        assert (await post.row())["reason"] == ALL_FROZEN
        await office.change(service_id, url, connections=1, password="new", error_threshold=1)

        async def over() -> bool:
            await sweep(office.database)
            return bool((await post.run()).closed)

        await until(over, 20)
    assert (once_each(server), passwords(server)) == (5, [b"old", b"new"])
    assert (await office.row(service_id))["status"] == "active"


async def test_a_task_goes_on_when_its_key_is_revoked(office: Office, net: Net) -> None:
    server = await net.serve(script=SLOWLY)
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}")
    bound = [(service_id, BindingAction.ADD)]
    await ServiceBindings(office.database).change(office.tenant.id, office.key_id, bound)
    async with post_of(office) as post, under_way(post, server):
        key = public_id(API_KEY, office.key_id)
        await Directory(office.database, PEPPER).revoke_key(office.tenant.slug, key)
    assert once_each(server) == AUDIENCE
