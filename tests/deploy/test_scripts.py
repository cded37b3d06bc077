"""The scripts of the compose file do their work on real servers, and can be run again."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from postroom.contracts.vocabulary import SearchAttribute
from postroom.database.engine import Role, open_database
from postroom.local.parts import answers_http
from postroom.local.postgres import EmbeddedPostgres
from postroom.local.settings import LocalSettings
from postroom.local.temporal import temporal_command, temporal_program
from tests.fixtures.cluster import migrate
from tests.local.waiting import eventually, free_ports

CHECKOUT = Path(__file__).parents[2]
PASSWORDS = {
    "POSTROOM_OWNER_PASSWORD": "owner'; DROP ROLE postgres --",
    "POSTROOM_DATABASE_PASSWORD": "service",
    "TEMPORAL_DATABASE_PASSWORD": "temporal",
}


def run(script: str, path: Path, environment: dict[str, str]) -> str:
    """Run a script with the programs of one folder in front."""
    done = subprocess.run(
        ["/bin/sh", str(CHECKOUT / script)],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": f"{path}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/"), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def new_cluster(short_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server nobody has touched: roles belong to the whole cluster."""
    cluster = EmbeddedPostgres(short_folder / "postgres", fsync=False)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def temporal_address(tmp_path: Path) -> Iterator[str]:
    """A Temporal server of its own."""
    grpc, page = free_ports(2)
    settings = LocalSettings(temporal_port=grpc, temporal_ui_port=page)
    ready = answers_http(page, "/api/v1/namespaces/default")
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(temporal_command(settings, tmp_path), stdout=log, stderr=log)
    try:
        eventually(lambda: ready(""), 30)
        yield f"127.0.0.1:{grpc}"
    finally:
        server.terminate()
        server.wait(30)


def as_user(cluster: EmbeddedPostgres, user: str, database: str) -> str:
    return cluster.url(database).replace("postgres@", f"{user}@")


async def test_roles_let_the_owner_migrate_and_the_service_serve(new_cluster: EmbeddedPostgres) -> None:
    run("deploy/postgres/roles.sh", new_cluster.programs, {"PGHOST": str(new_cluster.socket_folder), **PASSWORDS})

    migrate(as_user(new_cluster, "postroom_owner", "postroom"))
    migrate(as_user(new_cluster, "postroom_owner", "postroom"))

    service = as_user(new_cluster, "postroom", "postroom")
    async with open_database(service, dict.fromkeys(Role, 1)) as database:
        for role in Role:
            async with database.transaction(role) as connection:
                assert await (await connection.execute("SELECT current_user AS name")).fetchone() == {"name": role}
        async with database.system_transaction() as connection:
            await connection.execute("INSERT INTO tenants (slug, name) VALUES ('first', 'First')")
    async with await psycopg.AsyncConnection.connect(service) as plain:
        with pytest.raises(InsufficientPrivilege):
            await plain.execute("SELECT * FROM tenants")
    async with await psycopg.AsyncConnection.connect(new_cluster.url("postgres")) as superuser:
        row = await (
            await superuser.execute(
                "SELECT array_agg(rolname::text) FROM pg_roles WHERE rolname ~ '^(postroom|temporal)' "
                "AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"
            )
        ).fetchone()
        assert row == (None,)


async def test_each_login_reaches_its_own_databases(new_cluster: EmbeddedPostgres) -> None:
    run("deploy/postgres/roles.sh", new_cluster.programs, {"PGHOST": str(new_cluster.socket_folder), **PASSWORDS})
    for user, database in (("temporal", "postroom"), ("postroom", "temporal"), ("postroom", "temporal_visibility")):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            await psycopg.AsyncConnection.connect(as_user(new_cluster, user, database))
    async with await psycopg.AsyncConnection.connect(as_user(new_cluster, "temporal", "temporal")) as connection:
        await connection.execute("CREATE TABLE schema_version (id integer)")


def test_both_databases_of_temporal_are_brought_to_their_schema(tmp_path: Path) -> None:
    tool = tmp_path / "temporal-sql-tool"
    tool.write_text('#!/bin/sh\necho "$@"\n')
    tool.chmod(0o755)
    said = run("deploy/temporal/schema.sh", tmp_path, {"POSTGRES_HOST": "postgres", "POSTGRES_USER": "temporal"})
    reach = "--plugin postgres12 --ep postgres -p 5432 -u temporal --db"
    versioned = "/etc/temporal/schema/postgresql/v12/{}/versioned"
    assert said.splitlines() == [
        f"{reach} temporal setup-schema -v 0.0",
        f"{reach} temporal update-schema -d {versioned.format('temporal')}",
        f"{reach} temporal_visibility setup-schema -v 0.0",
        f"{reach} temporal_visibility update-schema -d {versioned.format('visibility')}",
    ]


def test_the_namespace_is_made_once_with_its_search_attributes(temporal_address: str) -> None:
    environment = {"TEMPORAL_ADDRESS": temporal_address, "TEMPORAL_NAMESPACE": "ours"}
    programs = temporal_program().parent
    for _ in range(2):
        run("deploy/temporal/namespace.sh", programs, environment)
    listed = subprocess.run(
        [temporal_program(), "operator", "search-attribute", "list", "--namespace", "ours"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout
    for name in SearchAttribute:
        assert [line.split() for line in listed.splitlines() if line.split()[:1] == [name]] == [[name, "Keyword"]]
