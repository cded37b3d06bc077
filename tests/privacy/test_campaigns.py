"""What bulk sends keep of a person: told whole, and taken away while the numbers stay what they were."""

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from postroom.campaigns.pages import counts
from postroom.contact_files.models import FileState
from postroom.contacts.turns import take_turn
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.identity import address_hash, new_id
from postroom.privacy.recipients import struck
from postroom.privacy.walking import Kind
from postroom.reports.counting import Dimension, fold
from postroom.reports.service import Reports
from tests.fixtures.contact_files import EVERYONE, FileDesk
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import Draft, accepted, change, rows
from tests.fixtures.waiting import until
from tests.privacy.conftest import Office
from tests.privacy.people import Person, found

TASK = """
INSERT INTO campaign_tasks (id, tenant_id, campaign_id, name, channel, rule, content, time_to_live, state, created_by,
                            audience, frozen_to, frozen_at)
VALUES (%s, %s, %s, 'spring', 'email', %s, '{}', '1 hour', 'sending', %s, 3, %s, now())
"""
RECIPIENT = """
INSERT INTO task_recipients (task_id, seq, tenant_id, user_id, delivery_id, domain)
VALUES (%s, %s, %s, %s, %s, 'shop.de')
"""
DELIVERY = """
INSERT INTO deliveries (id, tenant_id, task_id, seq, position, channel, state, address, address_hash, scopes,
                        expires_at, token, lease_until, language, ended_at)
VALUES (%s, %s, %s, %s, 0, 'email', %s, %s, %s, '{all}', now() + interval '1 hour', uuidv7(), now() + interval '1 hour',
        'fr', CASE WHEN %s IN ('accepted', 'rejected') THEN now() END)
"""
PAGE = """
INSERT INTO task_pages (task_id, number, tenant_id, first_seq, last_seq, counted, counts)
VALUES (%s, %s, %s, %s, %s, true, %s)
"""
WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%task_pages%'
"""
PATIENCE = 60
RULE = {"all": [{"everyone": True}, {"user_ids": ["bob"]}]}


@dataclass(frozen=True, slots=True)
class Send:
    """A bulk send to one person and a neighbour in the same page, and to somebody in another one."""

    database: Database
    tenant: Tenant
    task_id: UUID

    async def state(self, seq: int = 1) -> tuple[str, str | None]:
        statement = "SELECT state, reason FROM deliveries WHERE task_id = %s AND seq = %s"
        [row] = await rows(self.database, statement, self.task_id, seq)
        return row["state"], row["reason"]

    async def users(self) -> list[str | None]:
        statement = "SELECT user_id FROM task_recipients WHERE task_id = %s ORDER BY seq"
        return [row["user_id"] for row in await rows(self.database, statement, self.task_id)]

    async def counted(self) -> dict[str, int]:
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            return await counts(connection, self.task_id)


async def waiting(database_url: str) -> object:
    """Whether somebody waits for a page."""
    async with await AsyncConnection.connect(database_url) as watcher:
        return await (await watcher.execute(WAITING)).fetchone()


async def sent(database: Database, tenant: Tenant, person: Person, state: str) -> Send:
    """A send whose message to the person stands like this."""
    task, campaign = new_id(), new_id()
    await change(
        database,
        "INSERT INTO campaigns (id, tenant_id, name, api_key_id) VALUES (%s, %s, 'x', %s)",
        campaign,
        tenant.id,
        new_id(),
    )
    rule = json.dumps({**RULE, "any": [{"user_ids": [person.user_id]}]})
    await change(database, TASK, task, tenant.id, campaign, rule, new_id(), person.user_id)
    for seq, name in enumerate((person.user_id, "bob", "eve"), start=1):
        mine = seq == 1
        delivery, address = new_id(), person.address if mine else f"{name}@shop.de"
        now = state if mine else "accepted"
        hashed = address_hash(PEPPER, ChannelKind.EMAIL, address)
        await change(database, RECIPIENT, task, seq, tenant.id, name, delivery)
        await change(database, DELIVERY, delivery, tenant.id, task, seq, now, address, hashed, now)
        if mine:
            await _told(database, tenant, person, (task, delivery))
    for number, (first, last, held) in enumerate(
        ((1, 2, {state: 1, "accepted": 1} if state != "accepted" else {"accepted": 2}), (3, 3, {"accepted": 1})),
        start=1,
    ):
        await change(database, PAGE, task, number, tenant.id, first, last, json.dumps(held))
    return Send(database, tenant, task)


async def _told(database: Database, tenant: Tenant, person: Person, one: tuple[UUID, UUID]) -> None:
    task, delivery = one
    message = f"To: {person.address}\r\n\r\n{person.name}".encode()
    await change(
        database,
        "INSERT INTO delivery_messages (delivery_id, tenant_id, message) VALUES (%s, %s, %s)",
        delivery,
        tenant.id,
        message,
    )
    await change(
        database,
        "INSERT INTO delivery_feedback (tenant_id, delivery_id, task_id, kind, source, detail) "
        "VALUES (%s, %s, %s, 'bounced', 'dsn', %s)",
        tenant.id, delivery, task, f"550 <{person.address}>",
    )  # fmt: skip
    await change(
        database,
        "INSERT INTO delivery_touches (tenant_id, delivery_id, task_id, kind) VALUES (%s, %s, %s, 'open')",
        tenant.id,
        delivery,
        task,
    )


async def test_no_line_of_a_report_tells_of_the_domain(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    ada = Person(tenants.alice.id)
    send = await sent(database, tenants.alice, ada, "accepted")
    own = "UPDATE task_recipients SET domain = %s WHERE task_id = %s AND seq = 1"
    await change(database, own, f"{ada.name}.example", send.task_id)
    domains = "SELECT keys FROM task_page_lines WHERE task_id = %s AND dimension = 'domain' ORDER BY number"

    async with database.tenant_transaction(tenants.alice.id) as writer:
        await fold(writer, send.task_id, 0, 10)  # a worker counts, and has not committed when the person is erased
        erasing = asyncio.create_task(office.erase(tenants.alice, ada.user_id))
        await until(partial(waiting, database_url), PATIENCE)
    await erasing
    assert [row["keys"] for row in await rows(database, domains, send.task_id)] == [["shop.de"]]
    report, _ = await Reports(database).of_task(tenants.alice.id, send.task_id, None)
    assert {cell.key[0]: cell.recipients for cell in report.cells[Dimension.DOMAIN]} == {"shop.de": 2, None: 1}


@pytest.mark.parametrize("state", ["pending", "claimed", "deferred", "accepted", "rejected"])
async def test_nothing_is_left_and_the_numbers_add_up(  # noqa: PLR0913 - one fixture each
    office: Office, database: Database, database_url: str, tenants: Tenants, state: str
) -> None:
    alice, ada = tenants.alice, Person(tenants.alice.id)
    send = await sent(database, alice, ada, state)
    other = await sent(database, tenants.decoy, Person(tenants.decoy.id, ada.user_id, "Other", "other@shop.de"), state)
    assert "task_recipients.user_id" in found(database_url, ada)

    job = await office.erase(alice, ada.user_id)

    left = {
        place
        for place in found(database_url, ada)
        if place != "task_recipients.user_id" and not place.startswith("campaign_tasks")
    }
    assert left == set()
    assert await send.users() == [None, "bob", "eve"]
    assert (await other.users())[0] == ada.user_id
    assert (await office.job(job))["state"] == "done"
    ended = state if state in {"accepted", "rejected"} else "skipped"
    assert (await send.state())[0] == ended
    if ended == "skipped":
        assert await send.state() == ("skipped", "erased")
    assert sum((await send.counted()).values()) == 3
    assert (await send.counted())[ended] >= 1
    pages = await rows(
        database, "SELECT counted, next_at FROM task_pages WHERE task_id = %s ORDER BY number", send.task_id
    )
    assert [page["counted"] for page in pages] == [ended != "skipped", True]
    [task] = await rows(database, "SELECT owed, rule, frozen_to FROM campaign_tasks WHERE id = %s", send.task_id)
    assert task["owed"] == (ended == "skipped")
    assert task["frozen_to"] is None
    assert task["rule"] == {**RULE, "any": [{"not": {"everyone": True}}]}
    kept = await rows(database, "SELECT kind FROM delivery_touches WHERE task_id = %s", send.task_id)
    assert [row["kind"] for row in kept] == ["open"]
    suppressed = "SELECT reason FROM suppressions WHERE tenant_id = %s AND channel = 'email'"
    assert [row["reason"] for row in await rows(database, suppressed, alice.id)] == ["erased"]


@pytest.mark.parametrize("state", ["handing_off", "unknown", "held"])
async def test_what_is_in_doubt_ends_first(office: Office, database: Database, tenants: Tenants, state: str) -> None:
    alice, ada = tenants.alice, Person(tenants.alice.id)
    send = await sent(database, alice, ada, state)
    job = await office.erase(alice, ada.user_id)
    assert (await office.job(job))["state"] == "open"
    assert await send.state() == (state, None)
    assert (await send.users())[0] == ada.user_id
    await change(database, "UPDATE deliveries SET state = 'accepted' WHERE task_id = %s AND seq = 1", send.task_id)
    await office.again(job)
    assert (await office.job(job))["state"] == "done"
    assert (await send.state(), (await send.users())[0]) == (("accepted", None), None)


async def test_many_sends_go_page_by_page(office: Office, database: Database, tenants: Tenants) -> None:
    alice, ada = tenants.alice, Person(tenants.alice.id)
    sends = [await sent(database, alice, ada, "pending") for _ in range(5)]
    job = await office.paged(2).erase(alice, ada.user_id)
    row = await office.job(job)
    assert (row["state"], row["done"]) == ("done", 6)
    assert {await one.state() for one in sends} == {("skipped", "erased")}


async def test_an_export_tells_of_every_message(office: Office, database: Database, tenants: Tenants) -> None:
    alice, ada = tenants.alice, Person(tenants.alice.id)
    sends = [await sent(database, alice, ada, "accepted") for _ in range(3)]
    await accepted(database, Draft(alice.id, ada.user_id))
    await change(database, "INSERT INTO contacts (tenant_id, user_id) VALUES (%s, %s)", alice.id, ada.user_id)
    await change(
        database, "INSERT INTO contact_tags (tenant_id, user_id, tag) VALUES (%s, %s, 'vip')", alice.id, ada.user_id
    )
    told = json.loads(await office.paged(2).export(alice, ada.user_id))
    assert [one["tag"] for one in told["contact_tags"]] == ["vip"]
    assert len(told["notifications"]) == 1
    assert len(told["task_recipients"]) == len(told["campaign_messages"]) == len(sends)
    one = told["campaign_messages"][0]
    assert (one["address"], one["state"], one["language"]) == (ada.address, "accepted", "fr")
    assert one["task_id"].startswith("task_")
    assert [len(one[name]) for name in ("delivery_messages", "delivery_feedback", "delivery_touches")] == [1, 1, 1]
    assert "bob" not in json.dumps(told["campaign_messages"])


def test_a_list_that_nobody_is_left_in_finds_nobody() -> None:
    rule = {"any": [{"user_ids": ["ada", "bob"]}, {"not": {"user_ids": ["ada"]}}, {"attribute": {"value": "ada"}}]}
    assert struck(rule, "ada") == {
        "any": [{"user_ids": ["bob"]}, {"not": {"not": {"everyone": True}}}, {"attribute": {"value": "ada"}}]
    }


async def test_a_file_brings_nobody_back(office: Office, database: Database, tenants: Tenants) -> None:
    desk, text = FileDesk(database, tenants.alice), "user_id,email\nada,ada@shop.de\nbob,bob@shop.de\neve,ADA@shop.de\n"
    await desk.bring(text.removesuffix("eve,ADA@shop.de\n"))
    waiting = await desk.take(text)
    await office.erase(tenants.alice, "ada")
    assert await desk.written(waiting) == {"rejected": 2, "unchanged": 1}
    assert await desk.told(waiting) == [(2, "user_id", "erased"), (4, "user_id", "erased")]
    assert list(await desk.contacts()) == ["bob"]
    decoy = FileDesk(database, tenants.decoy)
    assert (await decoy.bring(text))[1] == {"created": 3}


async def test_a_piece_that_is_being_written_is_waited_for(
    office: Office, database: Database, tenants: Tenants
) -> None:
    desk = FileDesk(database, tenants.alice)
    await desk.bring("user_id,email\nada,ada@shop.de\n")
    await office.ask(tenants.alice, Kind.ERASURE, "ada")
    async with database.tenant_transaction(tenants.alice.id) as connection:
        await take_turn(connection, tenants.alice.id)
        erasing = asyncio.create_task(office.rounds.round())
        await asyncio.sleep(0.3)
        assert not erasing.done()
        await connection.execute(
            "UPDATE contacts SET language = 'fr' WHERE tenant_id = %s AND user_id = 'ada'", (tenants.alice.id,)
        )
    await erasing
    assert await desk.contacts() == {}


async def test_an_export_of_contacts_goes_with_anybody_in_it(
    office: Office, database: Database, tenants: Tenants
) -> None:
    desk = FileDesk(database, tenants.alice)
    await desk.bring("user_id,email\nada,ada@shop.de\n")
    await desk.export()
    job = (await desk.files.export(desk.identity, EVERYONE, None)).job_id
    other = FileDesk(database, tenants.decoy)
    await other.bring("user_id\nada\n")
    await other.export()
    await office.erase(tenants.alice, "ada")
    states = "SELECT state, reason FROM contact_files WHERE tenant_id = %s AND kind = 'contacts_export'"
    assert {tuple(row.values()) for row in await rows(database, states, tenants.alice.id)} == {
        (FileState.CANCELLED, "person_erased")
    }
    assert await rows(database, "SELECT * FROM contact_file_pieces WHERE job_id = %s", job) == []
    kept = "SELECT job_id FROM contact_file_pieces WHERE tenant_id = %s"
    assert await rows(database, kept, tenants.alice.id) == []
    assert await rows(database, kept, tenants.decoy.id) != []
