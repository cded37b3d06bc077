"""Which parts run here, what they are told, and what is kept in the data folder."""

import importlib.metadata
import importlib.util
import stat
from pathlib import Path

import pytest

from postroom.local.credentials import Credentials
from postroom.local.ports import Port, require_free
from postroom.local.postgres import server_programs
from postroom.local.settings import LocalSettings
from postroom.local.stack import Stack
from postroom.local.temporal import temporal_program
from postroom.local.trouble import Trouble
from postroom.local.welcome import welcome
from postroom.settings import Settings

ALL = ["postgres", "temporal", "mailbox", "migrations", "demo", "worker", "api", "scene"]
ELSEWHERE = {
    "database_url": "postgresql://somebody:secret@db.example/postroom",
    "temporal_address": "temporal.example:7233",
    "smtp_url": "smtps://mail.example",
}
MISSING = {"database_url": "postgres", "temporal_address": "temporal", "smtp_url": "mailbox"}


def stack_of(folder: Path, **settings: str) -> Stack:
    return Stack.of(LocalSettings.model_validate({"data_dir": folder, **settings}))


def test_everything_runs_here_by_default(tmp_path: Path) -> None:
    assert [part.name for part in stack_of(tmp_path).parts()] == ALL


@pytest.mark.parametrize("setting", ELSEWHERE)
def test_a_part_whose_address_is_given_is_not_started(tmp_path: Path, setting: str) -> None:
    stack = stack_of(tmp_path, **{setting: ELSEWHERE[setting]})
    assert [part.name for part in stack.parts()] == [name for name in ALL if name != MISSING[setting]]
    told = stack.environment()
    assert told[{"database_url": "DATABASE_URL"}.get(setting, setting.upper())] == ELSEWHERE[setting]
    assert ("POSTROOM_EVIDENCE_URL" in told) == (setting != "smtp_url")
    assert ("POSTROOM_TEMPORAL_UI_URL" in told) == (setting != "temporal_address")
    assert "secret" not in welcome(stack)


def test_the_environment_is_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = stack_of(tmp_path)
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.smtp_url.get_secret_value() == "smtp://127.0.0.1:1025"
    assert settings.evidence_url == "http://127.0.0.1:8025"
    assert not settings.tenant_servers_public_only  # so a sender service can be tried on the mailbox
    assert settings.database_url.startswith("postgresql://postgres@/postroom?host=%2F")


def test_what_a_person_has_set_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_PEPPER", "mine")
    monkeypatch.setenv("POSTROOM_TEMPORAL_UI_URL", "https://temporal.example")
    told = stack_of(tmp_path).environment()
    assert told["POSTROOM_PEPPER"] == "mine"
    assert told["POSTROOM_TEMPORAL_UI_URL"] == "https://temporal.example"


def test_credentials_are_made_once_and_kept_private(tmp_path: Path) -> None:
    first = Credentials.of_folder(tmp_path)
    assert Credentials.of_folder(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    other = tmp_path / "other"
    other.mkdir()
    assert Credentials.of_folder(other) != first


@pytest.mark.parametrize("damage", ["", "{", '{"pepper": "x"}', "[]"])
def test_damaged_credentials_are_never_replaced(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(damage)
    with pytest.raises(Trouble, match="damaged"):
        Credentials.of_folder(tmp_path)
    assert path.read_text() == damage


def test_a_missing_wheel_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    monkeypatch.setattr(importlib.metadata, "files", nothing)
    for program, setting in ((server_programs, "DATABASE_URL"), (temporal_program, "TEMPORAL_ADDRESS")):
        with pytest.raises(Trouble, match=f"not installed .*requirements-local.txt, or set {setting}"):
            program()


def test_one_port_for_two_parts_is_refused() -> None:
    with pytest.raises(Trouble, match="two parts") as refused:
        require_free([Port(8000, "API", "POSTROOM_API_PORT"), Port(8000, "mailbox", "POSTROOM_MAILBOX_HTTP_PORT")])
    assert "POSTROOM_MAILBOX_HTTP_PORT" in str(refused.value)
