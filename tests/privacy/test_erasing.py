"""An erasure leaves nothing of a person but keyed hashes, and everybody else as they were."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database
from postroom.errors import NotFound
from postroom.identity import address_hash
from postroom.privacy.erasing import Eraser
from postroom.privacy.rounds import PersonRounds
from postroom.privacy.walking import Kind, Progress, Task
from postroom.schedules.terms import Audience
from tests.fixtures.database import Tenants
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import Draft, accepted, change, notification, rows
from tests.fixtures.schedules import scheduled, terms
from tests.privacy.conftest import Office
from tests.privacy.people import Person, columns, filled, found, remember

SUPPRESSED = "SELECT channel, scope, reason, source, note FROM suppressions WHERE tenant_id = %s ORDER BY channel"


async def test_nothing_is_left_of_a_person_in_the_whole_database(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    ada = Person(tenants.alice.id)
    await remember(database, columns(database_url), ada)
    assert found(database_url, ada) >= filled(columns(database_url))  # the look finds what is there
    await office.export(tenants.alice, ada.user_id)

    job = await office.erase(tenants.alice, ada.user_id)

    assert found(database_url, ada) == set()
    assert (await office.job(job))["state"] == "done"
    assert await rows(database, "SELECT * FROM job_results WHERE tenant_id = %s", tenants.alice.id) == []
    assert await rows(database, "SELECT * FROM blobs WHERE tenant_id = %s", tenants.alice.id) == []
    [attempt] = await rows(database, "SELECT detail FROM delivery_attempts WHERE tenant_id = %s", tenants.alice.id)
    assert attempt["detail"] == "mailbox_unknown"
    left = await rows(database, SUPPRESSED, tenants.alice.id)
    # Where the delivery went, the address of the contact, the inbox.
    assert [row["channel"] for row in left] == ["email", "email", "in_app"]
    assert {(row["scope"], row["reason"], row["source"], row["note"]) for row in left} == {
        ("all", "erased", "erasure", None)
    }


async def test_the_same_name_in_another_tenant_is_another_person(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    schema = columns(database_url)
    ada = Person(tenants.alice.id)
    other = Person(tenants.decoy.id, ada.user_id, ada.name, ada.address)
    neighbour = Person(tenants.alice.id)
    for one in (other, neighbour):
        await remember(database, schema, one)
    before = found(database_url, other), found(database_url, neighbour)
    await remember(database, schema, ada)

    await office.erase(tenants.alice, ada.user_id)

    assert (found(database_url, other), found(database_url, neighbour)) == before
    assert (await notification(database, ada.ids["notification_id"]))["user_id"] is None
    kept = await rows(database, SUPPRESSED, tenants.decoy.id)
    assert {row["reason"] for row in kept} == {"manual"}


async def test_names_that_differ_in_their_case_are_two_people(
    office: Office, database: Database, tenants: Tenants
) -> None:
    for name in ("Ada", "ada"):
        await accepted(database, Draft(tenants.alice.id, name))
    await office.erase(tenants.alice, "Ada")
    hashes = await rows(database, "SELECT address_hash FROM suppressions WHERE tenant_id = %s", tenants.alice.id)
    assert [row["address_hash"] for row in hashes] == [address_hash(PEPPER, ChannelKind.IN_APP, "Ada")]
    left = await rows(
        database, "SELECT state FROM notifications WHERE user_id = 'ada' AND tenant_id = %s", tenants.alice.id
    )
    assert [row["state"] for row in left] == ["open"]


async def test_who_is_not_known_cannot_be_erased(office: Office, database: Database, tenants: Tenants) -> None:
    await accepted(database, Draft(tenants.decoy.id, "only-the-decoys"))
    with pytest.raises(NotFound):
        await office.ask(tenants.alice, Kind.ERASURE, "only-the-decoys")
    assert await rows(database, "SELECT * FROM person_jobs WHERE tenant_id = %s", tenants.alice.id) == []


async def test_a_batch_still_adds_up(office: Office, database: Database, tenants: Tenants) -> None:
    draft = Draft(tenants.alice.id, "ada")
    ids = [await accepted(database, draft) for _ in range(3)] + [
        await accepted(database, Draft(tenants.alice.id, "bob"))
    ]
    job = UUID(int=ids[0].int ^ 1)
    await change(database, "UPDATE notifications SET job_id = %s WHERE id = ANY(%s)", job, ids)
    await office.erase(tenants.alice, "ada")
    counts = "SELECT state, count(*)::int AS count FROM notifications WHERE job_id = %s GROUP BY state ORDER BY state"
    assert await rows(database, counts, job) == [{"state": "open", "count": 1}, {"state": "skipped", "count": 3}]


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
async def test_a_killed_loop_goes_on_where_the_rows_say(
    office: Office, database: Database, tenants: Tenants, steps: int
) -> None:
    ids = [await accepted(database, Draft(tenants.alice.id, "ada", delay=timedelta(days=9))) for _ in range(5)]
    small = office.paged(2)
    job = await small.ask(tenants.alice, Kind.ERASURE, "ada")
    killed = Killed(PEPPER, 2, [9] * steps)
    dying = PersonRounds(database, office.rounds.timing, killed, office.rounds.exporter)
    with pytest.raises(SystemExit):
        await dying.round()
    assert (await office.job(job))["done"] == 2 * max(
        0, steps - 2
    )  # the first step is no page, and the one it died in has not been
    await small.rounds.round()
    row = await office.job(job)
    assert (row["state"], row["done"], row["user_id"]) == ("done", 6, None)
    assert {(await notification(database, one))["reason"] for one in ids} == {"erased"}


async def test_what_is_written_of_the_person_while_the_walk_goes_on_goes_with_it(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    alice, ada = tenants.alice, Person(tenants.alice.id)
    for _ in range(5):
        await accepted(database, Draft(alice.id, ada.user_id))
    small = office.paged(2)
    job = await small.ask(alice, Kind.ERASURE, ada.user_id)
    dying = PersonRounds(database, office.rounds.timing, Killed(PEPPER, 2, [9] * 3), office.rounds.exporter)
    with pytest.raises(SystemExit):
        await dying.round()

    wait = "UPDATE person_jobs SET next_at = now() + interval '1 hour' WHERE job_id = %s"
    await change(database, wait, job)
    assert ada.user_id.encode() in await office.export(alice, ada.user_id)
    await scheduled(database, alice, terms(Audience(["bob", ada.user_id])))
    contact = (
        "INSERT INTO contacts (tenant_id, user_id, addresses) VALUES (%s, %s, jsonb_build_object('email', %s::text))"
    )
    await change(database, contact, alice.id, ada.user_id, ada.address)

    await small.again(job)
    assert (await office.job(job))["state"] == "done"
    assert found(database_url, ada) == set()
    assert await rows(database, "SELECT * FROM job_results WHERE tenant_id = %s", alice.id) == []
    left = {row["channel"] for row in await rows(database, SUPPRESSED, alice.id)}
    assert left == {"email", "in_app"}


@dataclass(frozen=True, slots=True)
class Killed(Eraser):
    """Dies at the end of one of its steps, before it is committed."""

    left: list[int] = field(default_factory=list)

    async def step(self, connection: Connection, task: Task) -> Progress:
        progress = await Eraser.step(self, connection, task)
        self.left.pop()
        if not self.left:
            raise SystemExit(9)
        return progress


async def test_two_loops_do_everything_once(office: Office, database: Database, tenants: Tenants) -> None:
    for _ in range(9):
        await accepted(database, Draft(tenants.alice.id, "ada"))
    small = office.paged(2)
    job = await small.ask(tenants.alice, Kind.ERASURE, "ada")
    await asyncio.gather(small.rounds.round(), small.rounds.round())
    await small.rounds.round()
    row = await office.job(job)
    assert (row["state"], row["done"]) == ("done", 10)


async def test_a_step_that_cannot_be_taken_lets_others_pass(
    office: Office, database: Database, tenants: Tenants
) -> None:
    held = await accepted(database, Draft(tenants.alice.id, "ada"))
    await accepted(database, Draft(tenants.alice.id, "bob"))
    first = await office.ask(tenants.alice, Kind.ERASURE, "ada")
    second = await office.ask(tenants.alice, Kind.ERASURE, "bob")
    impatient = PersonRounds(database, office.rounds.timing, Impatient(PEPPER), office.rounds.exporter)
    async with database.system_transaction() as connection:
        await connection.execute("SELECT FROM notifications WHERE id = %s FOR UPDATE", (held,))
        await impatient.round()
    assert [(await office.job(one))["state"] for one in (first, second)] == ["open", "done"]
    await office.rounds.round()
    assert (await office.job(first))["state"] == "done"


class Impatient(Eraser):
    """Waits for no lock."""

    async def step(self, connection: Connection, task: Task) -> Progress:
        await connection.execute("SET LOCAL lock_timeout = '100ms'")
        return await super().step(connection, task)
