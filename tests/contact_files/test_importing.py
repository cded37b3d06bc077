"""A file comes to what it says: every line is counted once, and none is dropped in silence."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.contact_files.models import FileState, Mode
from postroom.contact_files.receiving import MOST_FILES, PIECE_ROWS
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, TooLarge, TooMany
from postroom.timing import Timing
from tests.fixtures.contact_files import FileDesk
from tests.fixtures.database import Tenants
from tests.fixtures.rows import Draft, accepted, change, deliveries, rows

FULL = (
    "user_id,email,webhook,time_zone,language,tags,attribute.plan,attribute.age:number,attribute.vip:boolean,"
    "attribute.born:date,attribute.more:json,consent.marketing.email,consent.marketing.email.at\r\n"
    'ada,Ada@Shop.de,https://shop.de/hook,Europe/Paris,fr,vip|beta,pro,36.5,yes,1815-12-10,"{""a"": [1]}",true,'
    "2026-01-02T03:04:05Z\r\n"
)


async def test_everything_a_column_can_say_is_written(desk: FileDesk, tenants: Tenants) -> None:
    job, counts = await desk.bring(FULL, tags=("spring",))
    ada = (await desk.contacts())["ada"]
    assert counts == {"created": 1}
    assert await desk.told(job) == []
    assert ada["addresses"] == {"email": "Ada@shop.de", "webhook": "https://shop.de/hook"}
    assert (ada["time_zone"], ada["language"]) == ("Europe/Paris", "fr")
    expected = {"plan": "pro", "age": 36.5, "vip": True, "born": "1815-12-10", "more": {"a": [1]}}
    assert ada["attributes"] == expected
    assert ada["consent"] == {"marketing": {"email": {"given": True, "at": "2026-01-02T03:04:05+00:00"}}}
    assert await desk.tags() == [("ada", "beta"), ("ada", "spring"), ("ada", "vip")]
    assert await replace(desk, tenant=tenants.decoy).contacts() == {}
    events = await rows(desk.database, "SELECT * FROM preference_events WHERE tenant_id = %s", desk.tenant.id)
    assert [(one["user_id"], one["subject"], one["channel"]) for one in events] == [("ada", "consent", "email")]


async def test_the_same_file_again_changes_nothing(desk: FileDesk) -> None:
    await desk.bring(FULL)
    before = await desk.contacts()
    _, counts = await desk.bring(FULL)
    assert (counts, await desk.contacts()) == ({"unchanged": 1}, before)


async def test_an_empty_cell_says_nothing(desk: FileDesk) -> None:
    await desk.bring("user_id,email,language,attribute.plan\nada,ada@shop.de,fr,pro\n")
    _, counts = await desk.bring("user_id;email;language;attribute.plan\nada;;de;\n")
    ada = (await desk.contacts())["ada"]
    assert counts == {"updated": 1}
    assert (ada["addresses"], ada["language"], ada["attributes"]) == ({"email": "ada@shop.de"}, "de", {"plan": "pro"})


async def test_a_mode_makes_or_changes_only(desk: FileDesk) -> None:
    await desk.bring("user_id,language\nada,fr\n")
    text = "user_id,language\nada,de\nbob,de\nbob,it\n"
    job, counts = await desk.bring(text, Mode.INSERT)
    assert counts == {"skipped": 1, "created": 1, "superseded": 1}
    assert await desk.told(job) == [(2, "user_id", "contact_exists"), (3, "user_id", "superseded")]
    assert {name: one["language"] for name, one in (await desk.contacts()).items()} == {"ada": "fr", "bob": "it"}
    job, counts = await desk.bring("user_id,language\nada,de\neve,de\n", Mode.UPDATE)
    assert counts == {"updated": 1, "skipped": 1}
    assert await desk.told(job) == [(3, "user_id", "contact_unknown")]
    assert "eve" not in await desk.contacts()


async def test_nobody_gets_more_tags_than_they_may_have(desk: FileDesk) -> None:
    first, more = ("|".join(f"{word}{number}" for number in range(60)) for word in ("a", "b"))
    await desk.bring(f"user_id,tags\nada,{first}\n")
    job, counts = await desk.bring(f"user_id,tags\nada,{more}\nbob,{more}\n")
    assert (counts, await desk.told(job)) == ({"rejected": 1, "created": 1}, [(2, "tags", "too_many_tags")])
    assert len(await desk.tags()) == 120
    assert (await desk.bring(f"user_id,tags\nada,{first}|c\n"))[1] == {"updated": 1}


async def test_a_trial_writes_nothing_and_counts_alike(desk: FileDesk) -> None:
    await desk.bring("user_id,language\nada,fr\n")
    text = "user_id,email,language\nada,ada@shop.de,fr\nbob,no address,de\neve,eve@shop.de,de\n"
    before = await desk.contacts()
    trial, counts = await desk.bring(text, validate_only=True, tags=("vip",))
    assert (await desk.contacts(), await desk.tags()) == (before, [])
    job, done = await desk.bring(text, tags=("vip",))
    assert counts == done == {"updated": 1, "rejected": 1, "created": 1}
    assert await desk.told(trial) == await desk.told(job) == [(3, "email", "invalid_recipient")]


async def test_the_later_of_two_lines_stands_however_far_away(desk: FileDesk) -> None:
    people = "".join(f"p{number},first\n" for number in range(PIECE_ROWS + 5))
    job, counts = await desk.bring(f"user_id,attribute.word\np7,zero\n{people}p0,last\n")
    assert counts == {"created": PIECE_ROWS + 5, "superseded": 2}
    assert sorted(await desk.told(job)) == [(2, "user_id", "superseded"), (3, "user_id", "superseded")]
    contacts = await desk.contacts()
    assert [contacts[name]["attributes"]["word"] for name in ("p0", "p7")] == ["last", "first"]


async def test_a_step_cut_off_anywhere_is_done_once(desk: FileDesk) -> None:
    lines = 4 * PIECE_ROWS
    job = await desk.take("user_id,tags\n" + "".join(f"p{number},vip\n" for number in range(lines)))
    while True:
        step = asyncio.create_task(desk.importer.step(desk.tenant.id, job))
        await asyncio.sleep(0.001 * (1 + len(await desk.contacts()) % 97))
        step.cancel()  # as a worker that is killed within a piece
        await asyncio.gather(step, return_exceptions=True)
        standing = await desk.importer.step(desk.tenant.id, job)
        counts, known = await desk.counts(job), len(await desk.contacts())
        assert counts.get("created", 0) == known == len(await desk.tags())
        if standing.state != FileState.OPEN:
            break
    assert counts == {"created": lines}


async def test_two_workers_write_each_piece_once(desk: FileDesk) -> None:
    job = await desk.take("user_id\n" + "".join(f"p{number}\n" for number in range(3 * PIECE_ROWS)))
    for _ in range(4):
        await asyncio.gather(*(desk.importer.step(desk.tenant.id, job) for _ in range(2)))
    assert await desk.counts(job) == {"created": 3 * PIECE_ROWS}
    kept = "SELECT job_id FROM contact_file_pieces WHERE job_id = %s UNION ALL SELECT job_id FROM contact_file_people"
    assert await rows(desk.database, kept + " WHERE job_id = %s", job, job) == []


async def test_whoever_became_known_meanwhile_is_changed_not_lost(desk: FileDesk) -> None:
    job = await desk.take("user_id,language\nada,de\n")
    other = desk.importer.step(desk.tenant.id, job)
    statement = "INSERT INTO contacts (tenant_id, user_id, attributes) VALUES (%s, 'ada', '{\"plan\": \"pro\"}')"
    await asyncio.gather(other, change(desk.database, statement, desk.tenant.id))
    await desk.written(job)
    ada = (await desk.contacts())["ada"]
    assert (ada["language"], ada["attributes"]) == ("de", {"plan": "pro"})


async def test_cancelling_leaves_what_was_written(desk: FileDesk) -> None:
    job = await desk.take("user_id\n" + "".join(f"p{number}\n" for number in range(2 * PIECE_ROWS)))
    await desk.importer.step(desk.tenant.id, job)
    await desk.files.cancel(desk.tenant.id, job)
    assert (await desk.importer.step(desk.tenant.id, job)).state == FileState.CANCELLED
    assert len(await desk.contacts()) == PIECE_ROWS
    with pytest.raises(Conflict, match="ended already"):
        await desk.files.cancel(desk.tenant.id, job)


async def test_an_import_nobody_could_write_ends(desk: FileDesk) -> None:
    late = replace(desk, timing=replace(Timing(), import_life=timedelta(0)))
    job = await late.take("user_id\nada\n")
    assert (await late.importer.step(desk.tenant.id, job)).state == FileState.CANCELLED
    [row] = await rows(desk.database, "SELECT reason FROM contact_files WHERE job_id = %s", job)
    assert (row["reason"], await desk.contacts()) == ("import_expired", {})


async def test_consent_that_was_withdrawn_later_stays_withdrawn(desk: FileDesk) -> None:
    header = "user_id,consent.marketing.email,consent.marketing.email.at,consent.marketing.email.source\n"
    await desk.bring(header + "ada,false,2026-05-01T00:00:00Z,link\n")
    _, counts = await desk.bring(header + "ada,true,2026-04-01T00:00:00Z,list\n")
    given = (await desk.contacts())["ada"]["consent"]["marketing"]["email"]
    assert (counts, given["given"], given["source"]) == ({"unchanged": 1}, False, "link")
    _, counts = await desk.bring("user_id,consent.marketing.email\nada,no\n")
    assert counts == {"unchanged": 1}


async def test_messages_of_those_who_change_are_decided_again(desk: FileDesk, database: Database) -> None:
    await desk.bring("user_id,language\nada,fr\nbob,fr\n")
    ids = [await accepted(database, Draft(desk.tenant.id, user_id=name)) for name in ("ada", "bob")]
    claim = (
        "INSERT INTO deliveries (tenant_id, notification_id, position, channel, state, token, lease_until, scopes, "
        "expires_at) "
        "SELECT tenant_id, id, 0, channel, 'claimed', uuidv7(), now() + interval '1 hour', '{all}', expires_at "
        "FROM notifications WHERE id = ANY(%s)"
    )
    await change(database, claim, ids)
    await desk.bring("user_id,language\nada,de\nbob,fr\n")
    assert [(await deliveries(database, one))[0]["state"] for one in ids] == ["pending", "claimed"]


async def test_what_cannot_be_a_file_leaves_nothing(desk: FileDesk) -> None:
    for text, code in {
        "": "empty_file",
        "user_id,email\n": "empty_file",
        "ada,ada@shop.de\nbob,bob@shop.de\n": "unknown_column",
        "email\nada@shop.de\n": "missing_column",
        "user_id,user_id\nada,ada\n": "duplicate_column",
        ",".join(["user_id", *(f"attribute.a{number}" for number in range(600))]) + "\nada\n": "too_many_columns",
        ",".join(["user_id", *(f"attribute.a{number}" for number in range(10_000))]) + "\nada\n": "unreadable_header",
        '"user_id\nada\n': "unreadable_header",
        "user_id,email\rada,ada@shop.de\r": "unreadable_header",
        "user_id,email,\nada,ada@shop.de,\n": "unknown_column",
        "sep=;\nuser_id;email\nada;ada@shop.de\n": "unknown_column",
        "user_id\0\nada\n": "unknown_column",
    }.items():
        with pytest.raises(Invalid) as refused:
            await desk.take(text)
        assert refused.value.code == code
        assert "ada" not in refused.value.detail
    people = "".join(f"p{number}\n" for number in range(PIECE_ROWS + 1))
    for raw in (f"user_id\n{people}".encode() + "jürgen\n".encode("latin-1"), "user_id\nada\n".encode("utf-16")):
        with pytest.raises(Invalid, match="not UTF-8") as refused:
            await desk.take(raw)
        assert refused.value.code == "invalid_encoding"
    with pytest.raises(TooLarge):
        await replace(desk, limit=1_000).take(f"user_id\n{people}")
    kept = await rows(desk.database, "SELECT job_id FROM contact_files WHERE tenant_id = %s", desk.tenant.id)
    assert (kept, await desk.contacts()) == ([], {})


async def test_so_many_files_wait_and_no_more(desk: FileDesk) -> None:
    for _ in range(MOST_FILES):
        await desk.take("user_id\nada\n")
    with pytest.raises(TooMany):
        await desk.take("user_id\nada\n")
