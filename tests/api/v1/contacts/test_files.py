"""Contacts by the file over the wire: what is taken in, told, handed out, and refused."""

import asyncio
from typing import Any

import httpx2
import pytest

from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, limited, problem
from tests.fixtures.contact_files import worked
from tests.fixtures.database import Tenants

FILE = "user_id,email,tags\nada,ada@shop.de,vip\nbob,no address,\nada,ada@shop.org,\n"
CSV = {"content-type": "text/csv; charset=utf-8"}


async def put_in(caller: Caller, text: str | bytes = FILE, query: str = "", **headers: str) -> httpx2.Response:
    named = {**CSV, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await caller.wire.post(f"/api/v1/contacts/imports{query}", content=text, headers=named)


async def done(caller: Caller, settings: Settings, database: Database, answer: httpx2.Response) -> dict[str, Any]:
    """The job of a request, after a worker has been at it."""
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"]
    await worked(database, settings, caller.tenant, job["job_id"])
    return dict(await caller.get(f"/jobs/{job['job_id']}"))


async def test_a_file_is_a_job(alice: Caller, decoy: Caller, settings: Settings, database: Database) -> None:
    answer = await put_in(alice)
    waiting = answer.json()
    assert (waiting["kind"], waiting["status"], waiting["total"]) == ("import", "processing", 3)
    assert (waiting["counts"]["open"], sum(waiting["counts"].values())) == (3, 3)
    job = await done(alice, settings, database, answer)
    assert (job["status"], sum(job["counts"].values())) == ("completed", 3)
    kept = {name: count for name, count in job["counts"].items() if count}
    assert kept == {"created": 1, "superseded": 1, "rejected": 1}
    assert (await alice.get("/contacts/ada"))["addresses"] == {"email": "ada@shop.org"}
    assert (await decoy.get("/contacts"))["items"] == []

    first = await alice.get(f"/jobs/{job['job_id']}/errors", limit=1)
    rest = await alice.get(f"/jobs/{job['job_id']}/errors", cursor=first["next_cursor"])
    told = [*first["items"], *rest["items"]]
    assert [(one["line"], one["column"], one["code"]) for one in told] == [
        (2, "user_id", "superseded"),
        (3, "email", "invalid_recipient"),
    ]
    assert rest["next_cursor"] is None
    sheet = await alice.wire.get(f"/api/v1/jobs/{job['job_id']}/errors.csv")
    assert sheet.headers["content-type"].startswith("text/csv")
    assert sheet.text.splitlines()[0] == "line,column,code,message"
    assert len(sheet.text.splitlines()) == 3


async def test_a_form_brings_the_same(alice: Caller, settings: Settings, database: Database) -> None:
    files = {"file": ("people.csv", FILE.encode(), "text/csv")}
    answer = await alice.wire.post("/api/v1/contacts/imports?mode=insert&tag=spring", files=files)
    job = await done(alice, settings, database, answer)
    assert (job["total"], job["counts"]["created"]) == (3, 1)
    for body, boundary in (
        (b"--x\r\n\r\n", "x"),
        (b"nothing", "x"),
        (b'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\na', "x"),
    ):
        bad = await put_in(alice, body, content_type=f"multipart/form-data; boundary={boundary}")
        assert problem(bad)[:2] == (422, "malformed_form")
    two = {"file": ("a.csv", b"user_id\nada\n", "text/csv"), "other": ("b", b"x", "text/plain")}
    assert problem(await alice.wire.post("/api/v1/contacts/imports", files=two))[:2] == (422, "malformed_form")


async def test_the_same_request_is_one_import(alice: Caller) -> None:
    first = await put_in(alice, Idempotency_Key="people-1")
    again = await put_in(alice, Idempotency_Key="people-1")
    assert (again.status_code, again.json()["job_id"]) == (202, first.json()["job_id"])
    assert again.headers["idempotent-replayed"] == "true"
    other = await put_in(alice, FILE + "eve,,\n", Idempotency_Key="people-1")
    assert problem(other)[1] == "idempotency_key_reused"
    other = await put_in(alice, query="?mode=update", Idempotency_Key="people-1")
    assert problem(other)[1] == "idempotency_key_reused"
    assert len((await alice.get("/jobs"))["items"]) == 1


@pytest.mark.parametrize(
    ("text", "query", "code"),
    [
        ("", "", "empty_file"),
        ("ada,ada@shop.de\n", "", "unknown_column"),
        (b"user_id\n\xff\xfe\n", "", "invalid_encoding"),
        (FILE, "?mode=replace", "unknown_value"),
        (FILE, "?delimiter=pipe", "unknown_value"),
        (FILE, "?nothing=1", "unknown_parameter"),
        (FILE, "?delimiter=tab", "unknown_column"),
    ],
)
async def test_what_is_no_file_of_contacts_is_refused(alice: Caller, text: str | bytes, query: str, code: str) -> None:
    answer = await put_in(alice, text, query)
    assert problem(answer)[:2] in {(422, code), (422, "invalid_request")}
    assert code in answer.text
    assert (await alice.get("/jobs"))["items"] == []


async def test_a_body_of_another_kind_is_refused(alice: Caller) -> None:
    assert problem(await put_in(alice, content_type="application/json"))[:2] == (415, "unsupported_media_type")


async def test_a_file_is_bounded(database: Database, settings: Settings, tenants: Tenants) -> None:
    async with limited(database, settings, tenants, import_limit_bytes=100) as caller:
        assert problem(await put_in(caller, "user_id\n" + "x" * 200))[:2] == (413, "payload_too_large")


async def test_an_import_can_be_cancelled_once(alice: Caller, decoy: Caller) -> None:
    job = (await put_in(alice)).json()["job_id"]
    assert problem(await decoy.post(f"/jobs/{job}/cancel"))[0] == 404
    answer = await alice.post(f"/jobs/{job}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["counts"]["cancelled"] == 3
    assert problem(await alice.post(f"/jobs/{job}/cancel"))[:2] == (409, "already_final")
    assert (await alice.get(f"/jobs/{job}"))["reason"] == "cancelled"


async def test_contacts_are_handed_out_by_a_rule(alice: Caller, settings: Settings, database: Database) -> None:
    await done(alice, settings, database, await put_in(alice, FILE + "eve,eve@shop.de,vip\n"))
    asked = await alice.post("/contacts/exports", {"rule": {"user_ids": ["eve"]}}, Idempotency_Key="out-1")
    unfinished = await alice.wire.get(f"/api/v1/jobs/{asked.json()['job_id']}/file")
    assert problem(unfinished)[:2] == (409, "not_finished")
    job = await done(alice, settings, database, asked)
    assert (job["status"], job["total"], job["counts"]) == ("completed", 1, {"open": 0, "exported": 1, "cancelled": 0})
    assert {name for name, path in job["links"].items() if path} == {"self", "file"}
    file = await alice.wire.get(job["links"]["file"])
    assert file.text.splitlines()[1].startswith("eve,eve@shop.de")
    again = await alice.post("/contacts/exports", {"rule": {"user_ids": ["eve"]}}, Idempotency_Key="out-1")
    assert again.json()["job_id"] == job["job_id"]
    everybody = await done(alice, settings, database, await alice.post("/contacts/exports", {}))
    assert everybody["total"] == 2
    await alice.wire.put("/api/v1/audiences/vips", json={"rule": {"tags": {"any": ["vip"]}}})
    saved = await done(alice, settings, database, await alice.post("/contacts/exports", {"rule": {"audience": "vips"}}))
    assert (saved["status"], saved["total"]) == ("completed", 1)
    assert problem(await alice.post("/contacts/exports", {"rule": {"who": 1}}))[2] == ["/rule/who"]
    nobody = await alice.post("/contacts/exports", {"rule": {"audience": "nobody"}})
    assert problem(nobody) == (422, "audience_not_found", ["/rule/audience"])


async def test_files_need_their_scopes(  # noqa: PLR0913 - one fixture each
    alice: Caller, database: Database, settings: Settings, api_url: str, tenants: Tenants
) -> None:
    job = (await put_in(alice)).json()["job_id"]
    async with calling(database, settings, api_url, tenants.alice, [Scope.NOTIFICATIONS_READ]) as reader:
        for answer in (
            await put_in(reader),
            await reader.post("/contacts/exports", {}),
            await reader.wire.get(f"/api/v1/jobs/{job}/errors"),
            await reader.wire.get(f"/api/v1/jobs/{job}/errors.csv"),
            await reader.wire.get(f"/api/v1/jobs/{job}/file"),
        ):
            assert problem(answer)[:2] == (403, "insufficient_scope")


async def test_a_job_of_another_kind_has_neither(alice: Caller) -> None:
    many = {"user_ids": ["ada"], "channel": "in_app", "title": "x", "content": "x"}
    job = (await alice.post("/notifications/batch", many)).json()["job_id"]
    for path in ("errors", "errors.csv", "file"):
        assert problem(await alice.wire.get(f"/api/v1/jobs/{job}/{path}"))[0] == 404


async def test_a_sender_who_leaves_leaves_nothing(alice: Caller, database: Database) -> None:
    async def lines() -> Any:
        yield b"user_id\n"
        for number in range(3_000):
            yield b"p%d\n" % number
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await alice.wire.post("/api/v1/contacts/imports", content=lines(), headers=CSV)
    for _ in range(100):
        async with database.system_transaction() as connection:
            statement = "SELECT count(*) AS count FROM contact_files WHERE tenant_id = %s"
            row = await (await connection.execute(statement, (alice.tenant.id,))).fetchone()
        if row is not None and row["count"] == 0:
            break
        await asyncio.sleep(0.05)
    assert row == {"count": 0}
