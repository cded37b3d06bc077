"""An export is complete, of one person only, sealed while it is kept, and not kept for long."""

import json
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.errors import Conflict, NotFound
from postroom.identity import NOTIFICATION, public_id
from postroom.privacy.holdings import HOLDINGS, LARGEST_MESSAGE, Tie
from postroom.privacy.links import ResultLinks
from postroom.privacy.walking import Kind
from tests.fixtures.database import Tenants
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import Draft, accepted, change, rows
from tests.privacy.conftest import Office
from tests.privacy.people import Person, columns, found, remember

EVENTS = "SELECT kind FROM person_events WHERE tenant_id = %s ORDER BY id"


async def test_everything_that_is_kept_is_told(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    schema = columns(database_url)
    ada, bob = Person(tenants.alice.id), Person(tenants.alice.id)
    for one in (ada, bob, Person(tenants.decoy.id, ada.user_id)):
        await remember(database, schema, one)

    text = (await office.export(tenants.alice, ada.user_id)).decode()

    told = json.loads(text)
    assert (told["format"], told["user_id"]) == ("postroom.person/1", ada.user_id)
    [notification] = told["notifications"]
    assert notification["id"] == public_id(NOTIFICATION, ada.ids["notification_id"])
    for holding in HOLDINGS:
        place = told if holding.tie is Tie.PERSON else notification
        [row] = place[holding.table]
        assert row, holding.table
    assert {(one["channel"], one["scope"], one["note"]) for one in told["suppressions"]} == {
        ("email", "all", ada.text),
        ("email", "type:news", ada.text),
    }
    assert [word for word in bob.words if word in text] == []
    assert "tenant_id" not in text
    assert "address_hash" not in text


async def test_every_column_filled_is_told(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    ada = Person(tenants.alice.id)
    schema = columns(database_url)
    await remember(database, schema, ada)
    told = json.loads(await office.export(tenants.alice, ada.user_id))
    internal = {
        "tenant_id",
        "request_hash",
        "address_hash",
        "token",
        "lease_until",
        "worker",
        "sha256",
        "user_id",
        "id",
    }
    for holding in HOLDINGS:
        if holding.shown:
            continue
        [row] = (told if holding.tie is Tie.PERSON else told["notifications"][0])[holding.table]
        names = {column.name for column in schema if column.table == holding.table}
        assert names - row.keys() - internal == set(), holding.table


async def test_the_bytes_of_a_message_are_told_up_to_a_size(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    ada = Person(tenants.alice.id)
    await remember(database, columns(database_url), ada)
    grow = "UPDATE delivery_messages SET message = %s WHERE delivery_id = %s"
    for size, is_told in ((LARGEST_MESSAGE, True), (LARGEST_MESSAGE + 1, False)):
        await change(database, grow, b"x" * size, ada.ids["delivery_id"])
        told = json.loads(await office.export(tenants.alice, ada.user_id))
        [message] = told["notifications"][0]["delivery_messages"]
        assert (message["size"], message["base64"] is not None) == (size, is_told)


async def test_many_notifications_come_in_small_pieces(office: Office, database: Database, tenants: Tenants) -> None:
    ids = [await accepted(database, Draft(tenants.alice.id)) for _ in range(7)]
    small = office.paged(3)
    job = await small.ask(tenants.alice, Kind.EXPORT, "ada")
    await small.rounds.round()
    told = json.loads(await small.fetched(tenants.alice, job))
    assert [one["id"] for one in told["notifications"]] == [public_id(NOTIFICATION, one) for one in sorted(ids)]
    pieces = "SELECT count(*)::int AS count FROM job_results WHERE job_id = %s"
    assert await rows(database, pieces, job) == [{"count": 1 + 3 + 1 + 1}]
    assert (await small.job(job))["done"] == 8


async def test_a_person_without_notifications_is_told_all_the_same(
    office: Office, database: Database, tenants: Tenants
) -> None:
    await change(database, "INSERT INTO contacts (tenant_id, user_id) VALUES (%s, 'ada')", tenants.alice.id)
    told: dict[str, Any] = json.loads(await office.export(tenants.alice, "ada"))
    assert (len(told["contacts"]), told["notifications"]) == (1, [])


async def test_what_is_kept_of_an_export_is_sealed(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    ada = Person(tenants.alice.id)
    await remember(database, columns(database_url), ada)
    before = found(database_url, ada)
    await office.export(tenants.alice, ada.user_id)
    assert found(database_url, ada) - before == {"person_jobs.user_id"}


async def test_an_export_is_thrown_away_after_a_day(office: Office, database: Database, tenants: Tenants) -> None:
    await accepted(database, Draft(tenants.alice.id))
    job = await office.ask(tenants.alice, Kind.EXPORT, "ada")
    with pytest.raises(Conflict, match="not finished"):
        await office.privacy.fetch(tenants.alice.id, job, None)
    await office.rounds.round()
    await office.fetched(tenants.alice, job)
    left = await rows(
        database, "SELECT expires_at - now() < interval '24 hours' AS good FROM person_jobs WHERE job_id = %s", job
    )
    assert left == [{"good": True}]

    await change(database, "UPDATE person_jobs SET expires_at = now() WHERE job_id = %s", job)
    with pytest.raises(NotFound) as gone:  # before anybody swept
        await office.privacy.fetch(tenants.alice.id, job, None)
    assert gone.value.code == "result_gone"
    await office.rounds.round()
    assert await rows(database, "SELECT * FROM job_results WHERE job_id = %s", job) == []
    assert (await office.job(job))["user_id"] is None
    kinds = [row["kind"] for row in await rows(database, EVENTS, tenants.alice.id)]
    assert kinds == ["export_requested", "export_completed", "export_fetched", "export_removed"]


async def test_an_erasure_overtakes_an_export(office: Office, database: Database, tenants: Tenants) -> None:
    await accepted(database, Draft(tenants.alice.id))
    export = await office.ask(tenants.alice, Kind.EXPORT, "ada")
    await change(database, "UPDATE person_jobs SET next_at = now() + interval '1 hour' WHERE job_id = %s", export)
    await office.erase(tenants.alice, "ada")
    row = await office.job(export)
    assert (row["state"], row["user_id"]) == ("overtaken", None)


async def test_who_asks_twice_gets_one_job(office: Office, database: Database, tenants: Tenants) -> None:
    await accepted(database, Draft(tenants.alice.id))
    first, second = [await office.ask(tenants.alice, Kind.EXPORT, "ada") for _ in range(2)]
    assert first == second
    await office.rounds.round()
    assert await office.ask(tenants.alice, Kind.EXPORT, "ada") != first


def test_a_link_is_made_here_or_leads_nowhere(tenants: Tenants) -> None:
    links = ResultLinks(PEPPER)
    name = links.write(tenants.alice.id, tenants.decoy.id)
    assert links.read(name) == (tenants.alice.id, tenants.decoy.id)
    forged = ResultLinks(b"another pepper").write(tenants.alice.id, tenants.decoy.id)
    for wrong in (forged, name[:-3] + "AAA", name[1:], "", "é"):
        with pytest.raises(NotFound):
            links.read(wrong)
