"""The compose file and the image fit the code: same settings, same commands, same engine rules, nothing open."""

import importlib.util
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from postroom.contracts.vocabulary import SearchAttribute
from postroom.local.temporal import DYNAMIC_CONFIG
from postroom.mailbox.settings import MailboxSettings
from postroom.settings import Settings
from postroom.tenants.secrets import Seal

CHECKOUT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "postroom"}
ONCE = {"temporal-schema", "temporal-namespace", "migrations"}
REQUIRED = re.compile(r"\$\{([A-Z_]+):\?")
# Limits per history shard: the embedded server has one shard, a cluster has 512.
PER_SHARD = re.compile(r"^history\..*MaxPollRPS$")


def read_names(settings: type[BaseSettings]) -> Iterator[str]:
    """Names of the environment variables a settings class reads."""
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            yield from (str(choice) for choice in alias.choices)
        else:
            yield f"{prefix}{name}".upper()


def new_environment() -> dict[str, str]:
    """What deploy/new-env prints."""
    done = subprocess.run(["/bin/sh", "deploy/new-env"], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", sorted(set(OURS) - {"migrations"}))
def test_our_services_are_told_only_what_they_read(name: str) -> None:
    known = set(read_names(MailboxSettings if name == "mailbox" else Settings))
    assert set(OURS[name].get("environment", {})) <= known


def test_migrations_are_told_the_owner_they_ask_for() -> None:
    (told,) = OURS["migrations"]["environment"]
    assert f'"{told}"' in (CHECKOUT / "migrations/env.py").read_text()


def test_the_database_and_secrets_are_told_to_api_and_worker() -> None:
    for name in ("api", "worker"):
        told = set(SERVICES[name]["environment"])
        assert {"DATABASE_URL", "TEMPORAL_ADDRESS", "SMTP_URL", "POSTROOM_SEALING_KEYS", "POSTROOM_PEPPER"} <= told
        assert "POSTROOM_OWNER_DATABASE_URL" not in told


def test_every_secret_must_be_given_and_new_env_gives_it() -> None:
    asked = set(REQUIRED.findall((CHECKOUT / "docker-compose.yml").read_text()))
    environment = new_environment()
    assert asked == set(environment)
    assert len(set(environment.values())) == len(environment)
    assert environment != new_environment()
    Seal.parse(environment["POSTROOM_SEALING_KEYS"])


def test_no_password_has_a_working_default() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|PWD|PEPPER|SEALING", key) or re.search(r"://.*@", value):
                assert REQUIRED.search(value), f"{name}: {key}"


def test_ports_are_open_to_this_machine_only() -> None:
    opened = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(opened) == {"api", "mailbox", "temporal-ui"}
    for ports in opened.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_dependency_is_gated() -> None:
    for name, service in SERVICES.items():
        for other, gate in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert gate == {"condition": wanted}, f"{name} on {other}"
            assert other in ONCE or "healthcheck" in SERVICES[other]


def test_one_shots_end_and_services_come_back() -> None:
    for name, service in SERVICES.items():
        assert service["restart"].startswith("on-failure" if name in ONCE else "unless-stopped"), name


@pytest.mark.parametrize("name", sorted(set(OURS) - {"api"}))
def test_commands_name_modules_that_exist(name: str) -> None:
    python, flag, module, *_ = OURS[name]["command"]
    assert (python, flag) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None


def test_the_image_holds_what_runs_and_nothing_of_the_tests() -> None:
    lines = (CHECKOUT / "Dockerfile").read_text().splitlines()
    copied = {path for line in lines if line.startswith("COPY") and "--from" not in line for path in line.split()[1:-1]}
    assert copied == {
        *("requirements.txt", "alembic.ini", "worker.py", "migrations", "postroom", "activities", "workflows", "api"),
    }
    assert all((CHECKOUT / path).exists() for path in copied)
    let_in = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == copied
    assert "USER postroom" in lines
    assert "WORKDIR /app" in lines


def test_the_image_starts_the_application_factory() -> None:
    command = next(line for line in (CHECKOUT / "Dockerfile").read_text().splitlines() if line.startswith("CMD"))
    module, factory = re.findall(r'"([a-z.]+):([a-z_]+)"', command)[0]
    assert callable(getattr(importlib.import_module(module), factory))


def test_the_cluster_follows_the_rules_of_the_embedded_server() -> None:
    configured = yaml.safe_load((CHECKOUT / "deploy/temporal/dynamic-config.yaml").read_text())
    for value in configured.values():
        assert list(value[0]) == ["value"]
    plain = {name: value[0]["value"] for name, value in configured.items()}
    embedded = {name: yaml.safe_load(value) for name, value in DYNAMIC_CONFIG.items() if not PER_SHARD.match(name)}
    assert plain == embedded


def test_the_namespace_has_the_search_attributes_of_the_embedded_server() -> None:
    script = (CHECKOUT / "deploy/temporal/namespace.sh").read_text()
    registered = re.search(r"for name in ([A-Za-z ]+);", script)
    assert registered is not None
    assert registered[1].split() == [str(attribute) for attribute in SearchAttribute]


def test_mounted_files_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (CHECKOUT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_server_and_tools_are_of_one_version() -> None:
    versions = {SERVICES[name]["image"].split(":")[1] for name in ("temporal", "temporal-schema", "temporal-namespace")}
    assert len(versions) == 1


def test_scripts_can_be_run() -> None:
    for script in (CHECKOUT / "deploy/new-env", CHECKOUT / "deploy/find-python", *CHECKOUT.glob("deploy/*/*.sh")):
        assert script.stat().st_mode & stat.S_IXUSR, script
