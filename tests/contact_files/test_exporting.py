"""What is exported can be opened by a spreadsheet without harm, and taken back without a difference."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.contact_files.cells import read_tags, spelled_tags
from postroom.contact_files.ending import remove_leftovers
from postroom.contact_files.exporting import ContactExporter
from postroom.errors import Conflict, Invalid, NotFound
from tests.fixtures.contact_files import EVERYONE, SEAL, FileDesk
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows

PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "=1+1": {"addresses": {"email": "+plus@shop.de"}, "attributes": {"note": "@SUM(A1)", "age": -5}},
    "'quoted": {"addresses": {}, "attributes": {"note": "'=x", "age": "36", "empty": "", "blank": " "}},
    "comma,semi;": {
        "addresses": {"webhook": "https://shop.de/hook"},
        "attributes": {"note": 'two\nlines "and" \\ more', "vip": True, "more": {"a": [None, 1.5]}, "x:number": "1"},
        "time_zone": "Europe/Paris",
        "language": "fr",
        "consent": {"marketing": {"email": {"given": False, "at": "2026-01-01T00:00:00+00:00", "source": "-link"}}},
    },
    "plain": {"addresses": {"email": "p@shop.de"}, "attributes": {"none": None, "tab": "\tx"}},
    "odd": {
        "attributes": {
            "": 1,
            " a ": "\r",
            "line\nbreak": "\u2028\x07",
            '"q"': "'",
            "x" * 70: 1e-300,
            "a:number": "7",
            "=1": "=1",
            "back\\slash": -0.5,
            "wide": "\uff1d1",
            "big": 10**29,
            "deep": [[[{"": ["\n"]}]]],
        }
    },
}


async def known(desk: FileDesk) -> None:
    statement = (
        "INSERT INTO contacts (tenant_id, user_id, addresses, attributes, time_zone, language, consent) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)"
    )
    for user_id, one in PEOPLE.items():
        texts = [json.dumps(one.get(name, {})) for name in ("addresses", "attributes")]
        places = one.get("time_zone"), one.get("language"), json.dumps(one.get("consent", {}))
        await change(desk.database, statement, desk.tenant.id, user_id, *texts, *places)
    tag = "INSERT INTO contact_tags (tenant_id, user_id, tag) VALUES (%s, 'plain', %s)"
    for name in ("vip", "=beta", "one|two", "a;b", " ", "[x"):
        await change(desk.database, tag, desk.tenant.id, name)


async def test_out_and_in_and_out_again_changes_nothing(desk: FileDesk, tenants: Tenants) -> None:
    await known(desk)
    before, text = await desk.contacts(), await desk.export(page=2)
    job, counts = await desk.bring(text)
    assert (counts, await desk.told(job)) == ({"unchanged": 5}, [])
    assert await desk.contacts() == before
    assert await desk.export() == text

    elsewhere = replace(desk, tenant=tenants.decoy)
    assert (await elsewhere.bring(text))[1] == {"created": 5}
    copied = await elsewhere.contacts()
    for name in ("addresses", "attributes", "time_zone", "language", "consent"):
        assert {one: row[name] for one, row in copied.items()} == {one: row[name] for one, row in before.items()}
    assert await elsewhere.tags() == await desk.tags()
    assert await elsewhere.export(page=3) == text


async def test_no_cell_begins_as_a_formula(desk: FileDesk) -> None:
    await known(desk)
    text = await desk.export()
    for cell in ("'=1+1", "'+plus@shop.de", "'@SUM(A1)", "'-5", "''=x", "'-link"):
        assert cell in text


@given(st.lists(st.text('|; "[],\\x=', min_size=1, max_size=4), unique=True, max_size=4))
def test_tags_are_read_as_they_were_spelt(tags: list[str]) -> None:
    assert read_tags(spelled_tags(tags)) == tags


async def test_a_rule_says_who(desk: FileDesk) -> None:
    await known(desk)
    text = await desk.export({"tags": {"any": ["vip"]}})
    assert [line.split(",")[0] for line in text.splitlines()] == ["user_id", "plain"]
    assert len((await desk.export({"tags": {"any": ["nobody"]}})).splitlines()) == 1
    with pytest.raises(Invalid):
        await desk.export({"no such": "rule"})


async def test_it_can_be_had_when_it_is_whole_until_it_expires(desk: FileDesk) -> None:
    await known(desk)
    job = (await desk.files.export(desk.identity, EVERYONE, None)).job_id
    exporter = ContactExporter(desk.database, SEAL, desk.timing, page=2)
    await exporter.step(desk.tenant.id, job)
    with pytest.raises(Conflict, match="not finished"):
        await desk.files.exported(desk.tenant.id, job)
    for _ in range(4):
        await exporter.step(desk.tenant.id, job)
    assert (await desk.files.exported(desk.tenant.id, job)).pieces == 4
    [sealed] = await rows(
        desk.database, "SELECT content FROM contact_file_pieces WHERE job_id = %s AND position = 1", job
    )
    assert b"user_id" not in sealed["content"]
    await change(desk.database, "UPDATE contact_files SET expires_at = now() WHERE job_id = %s", job)
    async with desk.database.system_transaction() as connection:
        await remove_leftovers(connection)
    with pytest.raises(NotFound, match="no longer"):
        await desk.files.exported(desk.tenant.id, job)
    assert await rows(desk.database, "SELECT job_id FROM contact_file_pieces WHERE job_id = %s", job) == []
