"""The command line says what it did, and its exit code says whether."""

import asyncio
import io
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from postroom.__main__ import main
from postroom.database.engine import Database
from postroom.identity import PROVIDER, parse_id
from postroom.limits.allowance import Turn
from postroom.limits.limiter import Limiter
from postroom.settings import Settings
from postroom.tenants.gate import Gate
from postroom.tenants.secrets import Seal, Sealed
from postroom.tenants.ways import ProviderBook, Ways
from tests.fixtures.database import Tenants

NOBODY = Ways((), public_only=True)


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SMTP_URL", settings.smtp_url.get_secret_value())
    monkeypatch.setenv("POSTROOM_SEALING_KEYS", settings.sealing_keys.get_secret_value())
    monkeypatch.setenv("POSTROOM_PEPPER", settings.pepper.get_secret_value())


class Shell:
    """Runs commands beside the test's own loop."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def run(self, *words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, list(words))
        said = self._capsys.readouterr()
        return code, said.out.strip(), said.err.strip()

    async def data(self, *words: str) -> Any:
        code, out, err = await self.run("--json", *words)
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def shell(environment: None, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


async def test_from_nothing_to_a_working_key(shell: Shell, database: Database, settings: Settings) -> None:
    code, out, _ = await shell.run("tenants", "add", "newcomer", "--name", "New & Co", "--mail-from", "N <n@shop.de>")
    assert (code, "keys add newcomer" in out) == (0, True)
    code, out, _ = await shell.run("keys", "add", "newcomer")
    key = out.splitlines()[0]
    identity = await Gate(database, settings.pepper.get_secret_value().encode()).identify(key)
    assert identity.tenant_slug == "newcomer"
    assert re.search("^newcomer +New & Co ", (await shell.run("tenants", "list"))[1], re.MULTILINE)
    listed = await shell.data("keys", "list", "newcomer")
    assert key not in json.dumps(listed)
    assert (await shell.run("keys", "revoke", "newcomer", listed[0]["id"]))[0] == 0
    assert (await shell.data("keys", "list", "newcomer"))[0]["revoked_at"]


async def test_what_is_refused_is_said(shell: Shell, tenants: Tenants) -> None:
    for words in (
        ("tenants", "add", tenants.alice.slug),
        ("tenants", "add", "Not a slug"),
        ("tenants", "add", "garbled", "--mail-from", "Shop <hello"),
        ("tenants", "add", "posing", "--mail-from", "ceo@bank.example <hello@shop.de>"),
        ("tenants", "add", "folded", "--mail-from", "X\r\nBcc: a@shop.de <hello@shop.de>"),
        ("demo", "--key-file", "/nowhere/key"),
        ("keys", "add", "nobody-there"),
        ("keys", "revoke", tenants.alice.slug, "key_" + "0" * 32),
        ("providers", "add", tenants.alice.slug, "p", "ftp://x", "--no-password"),
        ("providers", "add", tenants.alice.slug, "p", "smtps://u:secret@mail.shop.de", "--no-password"),
        ("providers", "remove", tenants.alice.slug, "provider_x"),
        ("suppress", "add", tenants.alice.slug, "nobody"),
    ):
        code, out, err = await shell.run(*words)
        assert (code, out) == (1, ""), words
        assert err.endswith((".", "'/nowhere/key'")), words
        assert "secret" not in err


async def test_a_key_of_another_tenant_is_not_revoked(shell: Shell, tenants: Tenants) -> None:
    key = await shell.data("keys", "add", tenants.decoy.slug)
    assert (await shell.run("keys", "revoke", tenants.alice.slug, key["id"]))[0] == 1
    assert (await shell.data("keys", "list", tenants.decoy.slug))[0]["revoked_at"] is None


async def test_a_password_is_read_from_standard_input_and_sealed(  # noqa: PLR0913 - one fixture each
    shell: Shell, database: Database, settings: Settings, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "smtp+starttls://user@mail.shop.de"
    monkeypatch.setattr("sys.stdin", io.StringIO("pass word\n"))
    added = await shell.data("providers", "add", tenants.alice.slug, "first", url)
    second = await shell.data("providers", "add", tenants.alice.slug, "second", "smtp://mail.shop.de", "--no-password")
    assert (added["position"], second["position"]) == (1, 2)
    listed = await shell.data("providers", "list", tenants.alice.slug)
    assert [(one["name"], one["has_password"]) for one in listed] == [("first", True), ("second", False)]
    row_id = parse_id(PROVIDER, added["id"])
    async with database.tenant_transaction(tenants.alice.id) as connection:
        row = await (await connection.execute("SELECT * FROM providers WHERE id = %s", (row_id,))).fetchone()
    assert row is not None
    sealed = Sealed(row["secret_key_id"], row["secret"])
    seal = Seal.parse(settings.sealing_keys.get_secret_value())
    assert seal.open(sealed, tenant_id=tenants.alice.id, row_id=row_id) == "pass word"
    assert (await shell.run("providers", "remove", tenants.alice.slug, added["id"]))[0] == 0
    assert len(await shell.data("providers", "list", tenants.alice.slug)) == 1


async def test_weights_limits_and_what_is_used_of_them_today(  # noqa: PLR0913 - one fixture each
    shell: Shell, database: Database, settings: Settings, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    slug, url = tenants.alice.slug, "smtp://mail.shop.de?weight=3&per_second=14&per_day=50"
    await shell.data("providers", "add", slug, "main", url, "--no-password")
    monkeypatch.setattr("sys.stdin", io.StringIO("pass word\n"))
    await shell.data("providers", "add", slug, "spare", "preset:sendgrid")
    main, _ = await ProviderBook(database, Seal.parse(settings.sealing_keys.get_secret_value()), NOBODY).providers_of(
        tenants.alice.id
    )
    limiter = Limiter(database, settings.timing())
    await limiter.ask(main.meter, main.allowance, Turn())
    await limiter.close()
    listed = await shell.data("providers", "list", slug)
    assert [(one["weight"], one["limits"], one["used_today"]) for one in listed] == [
        (3, "14 a second, 50 a day", 1),
        (None, "none", None),
    ]
    assert "14 a second, 50 a day  1" in (await shell.run("providers", "list", slug))[1]


async def test_the_deployments_providers_are_shown_without_their_passwords(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "SMTP_URL", "smtps://ada:hunter2@mx.example.com?weight=2&per_day=9 preset:sendgrid?password=hunter2"
    )
    code, out, _ = await shell.run("providers", "list")
    assert (code, "hunter2" in out) == (0, False)
    assert re.search(r"^1 +mx.example.com:465 +mx.example.com +465 +2 +9 a day +0$", out, re.MULTILINE)
    assert [one["name"] for one in await shell.data("providers", "list")] == ["mx.example.com:465", "sendgrid"]


async def test_suppressions_hold_hashes_of_the_wire_spelling(shell: Shell, tenants: Tenants) -> None:
    slug = tenants.alice.slug
    assert (await shell.data("suppress", "add", slug, "Ada@bücher.de"))["new"]
    assert not (await shell.data("suppress", "add", slug, "ada@xn--bcher-kva.de"))["new"]
    (listed,) = await shell.data("suppress", "list", slug)
    assert "ada" not in json.dumps(listed).casefold()
    assert await shell.data("suppress", "list", tenants.decoy.slug) == []
    assert (await shell.data("suppress", "remove", slug, "ADA@bücher.de"))["removed"]
    assert await shell.data("suppress", "list", slug) == []


async def test_suppressions_have_scopes_and_reasons(shell: Shell, tenants: Tenants) -> None:
    slug = tenants.alice.slug
    for words in ((), ("--scope", "type:news", "--reason", "unsubscribed")):
        assert (await shell.data("suppress", "add", slug, "ada@shop.de", *words))["new"]
    listed = await shell.data("suppress", "list", slug)
    assert {(one["scope"], one["reason"], one["source"]) for one in listed} == {
        ("all", "manual", "operator"),
        ("type:news", "unsubscribed", "operator"),
    }
    assert (await shell.data("suppress", "remove", slug, "ada@shop.de", "--scope", "all"))["removed"]
    assert [one["scope"] for one in await shell.data("suppress", "list", slug)] == ["type:news"]
    with pytest.raises(SystemExit):
        await shell.run("suppress", "add", slug, "ada@shop.de", "--scope", "news")


async def test_the_demo_key_is_made_once_and_kept(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "key"
    first = await shell.data("demo", "--key-file", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    known = await shell.data("keys", "list", "demo")
    assert await shell.data("demo", "--key-file", str(file)) == first
    assert await shell.data("keys", "list", "demo") == known != []


async def test_usage_and_surroundings(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as wrong:
        await shell.run("keys")
    assert wrong.value.code == 2
    for words in (("--scope", "x"), ("--expires-at", "yesterday"), ("--expires-at", "2020-01-01T00:00:00Z")):
        with pytest.raises(SystemExit, match="2"):
            await shell.run("keys", "add", "demo", *words)
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@/x?host=/nowhere")
    code, _, err = await shell.run("tenants", "list")
    assert (code, err.splitlines()[-1]) == (3, "The database cannot be reached; nothing was done.")
    monkeypatch.delenv("POSTROOM_PEPPER")
    code, _, err = await shell.run("tenants", "list")
    assert (code, err) == (2, "These settings are missing or wrong: pepper.")
    monkeypatch.setenv("POSTROOM_PEPPER", "p")
    monkeypatch.setenv("POSTROOM_MAIL_FROM", "Shop <hello")
    code, _, err = await shell.run("tenants", "list")
    assert (code, err) == (2, "These settings are missing or wrong: mail_from.")
