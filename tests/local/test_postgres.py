"""The embedded Postgres: private, durable, and its leftovers never stand in the way."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from postroom.local.postgres import EmbeddedPostgres
from postroom.local.processes import lives

LEAVE = """
import os, sys
from pathlib import Path
from postroom.local.postgres import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
os._exit(0)
"""


@pytest.fixture
def postgres(short_folder: Path) -> Iterator[EmbeddedPostgres]:
    cluster = EmbeddedPostgres(short_folder / "postgres")
    yield cluster
    cluster.stop()


def asked(cluster: EmbeddedPostgres, query: str) -> object:
    with psycopg.connect(cluster.url("postgres")) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def postmaster(cluster: EmbeddedPostgres) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def test_it_listens_on_a_private_socket_only_and_keeps_what_it_says(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    assert asked(postgres, "SHOW listen_addresses") == ""
    assert asked(postgres, "SHOW fsync") == "on"
    assert asked(postgres, "SHOW server_encoding") == "UTF8"
    assert asked(postgres, "SELECT datlocale FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
    assert str(asked(postgres, "SHOW server_version")).startswith("18.")
    assert psutil.Process(postmaster(postgres)).net_connections("inet") == []
    assert stat.S_IMODE(postgres.socket_folder.stat().st_mode) == 0o700


def test_it_finds_its_data_again(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.ensure_database("kept")
    postgres.ensure_database("kept")
    postgres.stop()
    assert postgres.processes() == []
    postgres.start()
    with psycopg.connect(postgres.url("kept")) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("kept",)


def test_a_server_left_by_a_killed_starter_is_ended_and_replaced(postgres: EmbeddedPostgres) -> None:
    subprocess.run([sys.executable, "-c", LEAVE, str(postgres.folder)], check=True)
    left = postgres.processes()
    assert left
    postgres.start()
    assert not any(lives(process) for process in left)
    assert postgres.answers()


def test_it_starts_after_its_postmaster_was_killed_with_a_query_running(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as busy:
        busy.execute("CREATE TABLE kept AS SELECT 1 AS number")
        os.kill(postmaster(postgres), signal.SIGKILL)
        postgres.start()
    assert asked(postgres, "SELECT number FROM kept") == 1


def test_a_lock_file_that_names_a_stranger_is_no_obstacle(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")
    postgres.start()
    assert postgres.answers()


def test_a_long_path_has_its_socket_elsewhere(short_folder: Path) -> None:
    cluster = EmbeddedPostgres(short_folder / ("long" * 30) / "postgres", fsync=False)
    cluster.start()
    try:
        assert cluster.folder not in cluster.socket_folder.parents
        assert stat.S_IMODE(cluster.socket_folder.stat().st_mode) == 0o700
        assert asked(cluster, "SELECT 1") == 1
    finally:
        cluster.stop()
        cluster.socket_folder.rmdir()


def test_blanks_commas_and_percent_signs_in_the_path_do_no_harm(short_folder: Path) -> None:
    cluster = EmbeddedPostgres(short_folder / "with blank, %20 and 'quote'" / "postgres", fsync=False)
    cluster.start()
    try:
        assert asked(cluster, "SELECT 1") == 1
    finally:
        cluster.stop()
        cluster.socket_folder.rmdir()
