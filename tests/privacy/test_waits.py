"""Whatever a message waits for, an erasure ends it; what is being handed off ends by its answer, nothing goes twice."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.channels.base import Answer
from postroom.channels.in_app import InAppChannel
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.locking import lock_carried
from postroom.deliveries.settling import settle
from postroom.notifications.control import Control
from postroom.privacy.walking import Kind
from postroom.subscriptions.preference import NewPreference
from postroom.subscriptions.service import Subscriptions, Whose
from postroom.timing import Timing
from tests.digests.ground import Ground
from tests.fixtures.database import Tenants
from tests.fixtures.house import gather, outfit, pass_over, send
from tests.fixtures.ledger import ACCEPTED, DEFERRED, REJECTED, Bench, claimed
from tests.fixtures.rows import Draft, accepted, change, deliveries, notification, rows
from tests.fixtures.waiting import until
from tests.policy.people import know, wish
from tests.privacy.conftest import Office

TIMING = Timing()
BOTH = (ChannelKind.IN_APP, ChannelKind.EMAIL)
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
EVENTS = "SELECT kind FROM notification_events WHERE notification_id = %s ORDER BY id"


async def end_of(database: Database, one: UUID) -> tuple[str, str | None, str | None]:
    row = await notification(database, one)
    return row["state"], row["reason"], row["user_id"]


@pytest.mark.parametrize(
    "wait",
    [
        "state = 'pending', not_before = now() + interval '9 days', reason = 'quiet_hours'",
        "state = 'pending', not_before = now() + interval '1 hour', reason = 'digest'",
        "state = 'deferred', token = NULL, not_before = now() + interval '5 minutes', attempt = 1",
        "state = 'pending', token = NULL, reason = 'provider_unreachable'",
        "state = 'claimed'",
    ],
)
async def test_a_wait_of_any_kind_ends(office: Office, database: Database, tenants: Tenants, wait: str) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.set(wait)
    await office.erase(tenants.alice, "ada")
    assert await end_of(database, bench.notification_id) == ("skipped", "erased", None)
    row = await bench.delivery()
    assert (row["state"], row["reason"], row["token"], row["address"]) == ("skipped", "erased", None, None)
    assert [one["kind"] for one in await rows(database, EVENTS, bench.notification_id)] == ["erased"]
    [carrier] = await rows(database, "SELECT owed FROM carriers WHERE id = %s", bench.carrier_id)
    assert carrier["owed"]


async def test_what_has_no_carrier_yet_or_waits_in_a_wake_page_ends(
    office: Office, database: Database, tenants: Tenants
) -> None:
    later = await accepted(database, Draft(tenants.alice.id, delay=timedelta(days=3)))
    await gather(database, TIMING, tenants.alice.id)
    fresh = await accepted(database, Draft(tenants.alice.id))
    assert (await notification(database, later))["carrier_id"]
    await office.erase(tenants.alice, "ada")
    assert {await end_of(database, one) for one in (later, fresh)} == {("skipped", "erased", None)}


async def test_a_claim_made_before_is_refused_by_the_mark(office: Office, database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await office.erase(tenants.alice, "ada")
    assert not await bench.ledger.mark(bench.claim, b"bytes", "relay")
    assert await rows(database, "SELECT * FROM delivery_messages WHERE delivery_id = %s", bench.claim.delivery_id) == []
    assert await bench.events() == []


async def handing_off(bench: Bench) -> None:
    assert await bench.ledger.mark(bench.claim, b"bytes for ada", "relay")


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (ACCEPTED, ("sent", "accepted", None)),
        (DEFERRED, ("cancelled", "cancelled", None)),
        (REJECTED, ("cancelled", "cancelled", None)),
    ],
)
async def test_what_is_being_handed_off_ends_by_its_answer_and_is_wiped_then(  # noqa: PLR0913 - one fixture each
    office: Office, database: Database, tenants: Tenants, answer: Answer, end: tuple[str, str | None, None]
) -> None:
    bench = await claimed(database, Draft(tenants.alice.id, channels=BOTH), TIMING)
    await handing_off(bench)
    job = await office.erase(tenants.alice, "ada")
    row = await office.job(job)
    assert (row["state"], row["user_id"]) == ("open", "ada")
    assert (await notification(database, bench.notification_id))["state"] == "open"

    await bench.ledger.record(bench.claim, answer)
    async with database.tenant_transaction(tenants.alice.id) as connection:
        await settle(connection, await lock_carried(connection, bench.carrier_id))
    await office.again(job)

    assert await end_of(database, bench.notification_id) == end
    assert (await office.job(job))["state"] == "done"
    assert len(await deliveries(database, bench.notification_id)) == 1  # the next channel has no turn
    told = await rows(database, "SELECT detail FROM delivery_attempts WHERE delivery_id = %s", bench.claim.delivery_id)
    assert {row["detail"] for row in told} <= {None, answer.reason}


@pytest.mark.parametrize("state", ["unknown", "held"])
@pytest.mark.parametrize("message_class", ["security", "marketing"])
async def test_a_doubt_ends_without_bytes_and_is_never_sent_again(  # noqa: PLR0913 - one fixture each
    office: Office, database: Database, tenants: Tenants, state: str, message_class: str
) -> None:
    bench = await claimed(database, Draft(tenants.alice.id, message_class=message_class), TIMING)
    await handing_off(bench)
    hold = ", hold_until = now()" if state == "held" else ""
    long_ago = "marked_at = now() - interval '1 hour', not_before = now(), token = NULL"
    await bench.set(f"state = '{state}', {long_ago}{hold}")
    job = await office.erase(tenants.alice, "ada")
    assert await rows(database, "SELECT * FROM delivery_messages WHERE delivery_id = %s", bench.claim.delivery_id) == []

    with_inbox = outfit(database, TIMING)
    for _ in range(3):
        await send(with_inbox, pass_over(tenants.alice.id, bench.carrier_id))
    await office.again(job)

    assert await end_of(database, bench.notification_id) == ("cancelled", "cancelled", None)  # its inbox has none
    assert await rows(database, "SELECT * FROM inbox_messages WHERE tenant_id = %s", tenants.alice.id) == []
    assert (await office.job(job))["state"] == "done"


async def test_with_all_channels_what_arrived_counts(office: Office, database: Database, tenants: Tenants) -> None:
    draft = Draft(tenants.alice.id, channels=BOTH, strategy="all", metadata={"email": "ada@shop.de"})
    bench = await claimed(database, draft, TIMING)
    await handing_off(bench)
    await bench.ledger.record(bench.claim, ACCEPTED)
    await office.erase(tenants.alice, "ada")
    assert await end_of(database, bench.notification_id) == ("sent", "accepted", None)
    assert [row["state"] for row in await deliveries(database, bench.notification_id)] == ["accepted", "skipped"]


async def test_what_nobody_knows_does_not_read_as_skipped(office: Office, database: Database, tenants: Tenants) -> None:
    draft = Draft(tenants.alice.id, channels=BOTH, strategy="all", metadata={"email": "ada@shop.de"})
    bench = await claimed(database, draft, TIMING)
    await bench.set("state = 'failed', reason = 'outcome_unknown', token = NULL")
    await office.erase(tenants.alice, "ada")
    assert await end_of(database, bench.notification_id) == ("failed", "outcome_unknown", None)


async def test_a_person_who_is_written_to_again_is_skipped_until_the_tenant_says_otherwise(
    office: Office, database: Database, tenants: Tenants
) -> None:
    await accepted(database, Draft(tenants.alice.id))
    await office.erase(tenants.alice, "ada")
    ends = []
    for _ in range(2):
        one = await accepted(database, Draft(tenants.alice.id))
        await gather(database, TIMING, tenants.alice.id)
        carrier = (await notification(database, one))["carrier_id"]
        await send(outfit(database, TIMING), pass_over(tenants.alice.id, carrier))
        ends.append((await notification(database, one))["reason"])
        await change(database, "DELETE FROM suppressions WHERE tenant_id = %s", tenants.alice.id)
    assert ends == ["erased", "accepted"]


async def test_bytes_that_others_refer_to_stay(office: Office, database: Database, tenants: Tenants) -> None:
    mine = await accepted(database, Draft(tenants.alice.id))
    theirs = await accepted(database, Draft(tenants.alice.id, "bob"))
    shared, own = b"s" * 32, b"o" * 32
    attach = """
    INSERT INTO notification_attachments (notification_id, position, tenant_id, sha256, filename, content_type, size)
    VALUES (%s, %s, %s, %s, 'a.pdf', 'application/pdf', 1)
    """
    for digest in (shared, own):
        await change(database, "INSERT INTO blobs VALUES (%s, %s, 'x')", tenants.alice.id, digest)
    for one, position, digest in ((mine, 0, shared), (mine, 1, own), (theirs, 0, shared)):
        await change(database, attach, one, position, tenants.alice.id, digest)
    await office.erase(tenants.alice, "ada")
    left = await rows(database, "SELECT sha256 FROM blobs WHERE tenant_id = %s", tenants.alice.id)
    assert [row["sha256"] for row in left] == [shared]
    assert (
        len(await rows(database, "SELECT * FROM notification_attachments WHERE tenant_id = %s", tenants.alice.id)) == 1
    )


async def test_what_is_accepted_while_the_erasure_runs_ends_with_it(
    office: Office, database: Database, tenants: Tenants
) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await handing_off(bench)
    job = await office.ask(tenants.alice, Kind.ERASURE, "ada")
    await office.rounds.round()
    meanwhile = await accepted(database, Draft(tenants.alice.id))
    await change(database, "INSERT INTO contacts (tenant_id, user_id) VALUES (%s, 'ada')", tenants.alice.id)
    await bench.ledger.record(bench.claim, ACCEPTED)
    await office.again(job)
    assert (await end_of(database, meanwhile))[2] is None
    assert await rows(database, "SELECT * FROM contacts WHERE tenant_id = %s", tenants.alice.id) == []


async def test_a_retry_of_what_was_erased_finds_nobody(office: Office, database: Database, tenants: Tenants) -> None:
    draft = Draft(tenants.alice.id, channels=(ChannelKind.EMAIL,), metadata={"email": "ada@shop.de"})
    bench = await claimed(database, draft, TIMING)
    await bench.set("state = 'failed', reason = 'outcome_unknown', token = NULL, marked_at = now(), attempt = 1")
    ended = "UPDATE notifications SET state = 'failed', reason = 'outcome_unknown' WHERE id = %s"
    await change(database, ended, bench.notification_id)
    await office.erase(tenants.alice, "ada")
    await Control(database, TIMING).retry(tenants.alice.id, bench.notification_id)
    await gather(database, TIMING, tenants.alice.id)
    carrier = (await notification(database, bench.notification_id))["carrier_id"]
    errand = pass_over(tenants.alice.id, carrier, ChannelKind.EMAIL)
    nowhere = outfit(
        database, TIMING, {ChannelKind.EMAIL: InAppChannel(database)}
    )  # whatever it is handed would be told
    await send(nowhere, errand)
    assert await end_of(database, bench.notification_id) == ("skipped", "no_address", None)
    assert await rows(database, "SELECT * FROM inbox_messages WHERE tenant_id = %s", tenants.alice.id) == []


async def test_an_open_digest_of_the_person_closes_over_nothing(
    office: Office, database: Database, tenants: Tenants
) -> None:
    ground = Ground(database, tenants.alice.id, tenants.alice.slug)
    ids = [await ground.waits() for _ in range(2)]
    await ground.closings()
    await office.erase(tenants.alice, "ada")
    assert {await end_of(database, one) for one in ids} == {("skipped", "erased", None)}
    await ground.close()
    assert (await ground.digests(), await ground.told()) == ([], [])
    assert {closing["state"] for closing in await ground.closings()} == {"closed"}


async def test_what_a_person_writes_at_that_moment_is_waited_for_and_goes_too(
    office: Office, database: Database, tenants: Tenants
) -> None:
    await know(database, tenants.alice.id)
    await wish(database, tenants.alice.id, "ada news in_app")
    async with Subscriptions(database).writing(Whose(tenants.alice.id, "ada")) as desk:
        await desk.write([NewPreference("news", "in_app", enabled=False)])
        job = await office.ask(tenants.alice, Kind.ERASURE, "ada")
        erasure = asyncio.create_task(office.rounds.round())
        await until(lambda: rows(database, WAITING), 60)
        await desk.pause("forever")  # takes the contact, after the preferences
    await erasure
    assert (await office.job(job))["state"] == "done"
    for table in ("contacts", "preferences", "preference_events"):
        assert await rows(database, f"SELECT * FROM {table} WHERE tenant_id = %s", tenants.alice.id) == []
