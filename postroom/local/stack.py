"""The parts of the local stack as data, and the environment that ties them together."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from postroom.local.credentials import Credentials
from postroom.local.demo import DEMO_KEY
from postroom.local.parts import Part, answers_http, says
from postroom.local.ports import HOST, Port
from postroom.local.postgres import EmbeddedPostgres
from postroom.local.scene import API_PORT
from postroom.local.settings import LocalSettings
from postroom.local.temporal import temporal_command
from postroom.local.trouble import Trouble

DATABASE = "postroom"
CHECKOUT = Path(__file__).resolve().parents[2]
SILENT_SECONDS = 10  # the mailbox drops a silent transaction after this
PATIENCE_SECONDS = 20  # and it answers at once, so a sender that died is known to be dead within a minute
ABSENCE_SECONDS = 15  # so after this, a Message-ID that is not in its journal will never be
API_DRAIN_SECONDS = 10
API_KEEP_ALIVE_SECONDS = 75  # longer than proxies and clients keep theirs, so that none is closed as it is used
WORKER_DRAIN_SECONDS = 40


@dataclass(frozen=True)
class Stack:
    """One local stack: its settings, its data folder and what it must remember."""

    settings: LocalSettings
    data_dir: Path
    credentials: Credentials

    @classmethod
    def of(cls, settings: LocalSettings) -> "Stack":
        """Settle the folder of the stack (0700: it holds keys, letters and a database that trusts its socket)."""
        if not (CHECKOUT / "api").is_dir():
            raise Trouble("The local stack runs from a checkout of Postroom: start it there with `make up`.")
        data_dir = settings.data_dir.expanduser().resolve()
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(settings, data_dir, Credentials.of_folder(data_dir))

    def parts(self) -> list[Part]:
        """Everything that runs, in the order of the start; a part that is somewhere else is left out."""
        postgres = None if self.settings.database_url else EmbeddedPostgres(self.data_dir / "postgres")
        return [
            *([self._postgres(postgres)] if postgres else []),
            *([] if self.settings.temporal_address else [self._temporal()]),
            *([] if self.settings.smtp_url else [self._mailbox()]),
            self._migrations(postgres),
            self._demo(),
            self._worker(),
            self._api(),
            self._scene(),
        ]

    def environment(self) -> dict[str, str]:
        """What every part is told; whatever the person has set already stands."""
        settings = self.settings
        told = {
            "DATABASE_URL": settings.database_url or EmbeddedPostgres(self.data_dir / "postgres").url(DATABASE),
            "TEMPORAL_ADDRESS": settings.temporal_address or f"{HOST}:{settings.temporal_port}",
            "SMTP_URL": settings.smtp_url or f"smtp://{HOST}:{settings.mailbox_smtp_port}",
        }
        defaults = {
            "POSTROOM_PUBLIC_URL": f"http://{HOST}:{settings.api_port}",
            "POSTROOM_WEBHOOKS_PUBLIC_ONLY": "false",
            "POSTROOM_TENANT_SERVERS_PUBLIC_ONLY": "false",  # a sender service may be the mailbox
            "POSTROOM_SEALING_KEYS": self.credentials.sealing_keys,
            "POSTROOM_PEPPER": self.credentials.pepper,
            "PYTHONUNBUFFERED": "1",
        }
        if not settings.temporal_address:
            defaults["POSTROOM_TEMPORAL_UI_URL"] = f"http://{HOST}:{settings.temporal_ui_port}"
        if not settings.smtp_url:
            defaults["POSTROOM_EVIDENCE_URL"] = f"http://{HOST}:{settings.mailbox_http_port}"
            defaults["POSTROOM_ABSENCE_WINDOW_SECONDS"] = str(ABSENCE_SECONDS)
            defaults["POSTROOM_HAND_OFF_PATIENCE_SECONDS"] = str(PATIENCE_SECONDS)
        return {**defaults, **os.environ, **told}

    def _postgres(self, postgres: EmbeddedPostgres) -> Part:
        return Part(
            "postgres",
            postgres.command(),
            ready=lambda _written: postgres.answers(),
            prepare=postgres.prepare,
            options=postgres.spawn_options(),
            farewell=signal.SIGINT,
            patience=30,
            telling=None,
        )

    def _temporal(self) -> Part:
        settings = self.settings
        return Part(
            "temporal",
            temporal_command(settings, self.data_dir),
            ready=answers_http(settings.temporal_ui_port, "/api/v1/namespaces/default"),
            ports=[
                Port(settings.temporal_port, "Temporal", "POSTROOM_TEMPORAL_PORT"),
                Port(settings.temporal_ui_port, "Temporal UI", "POSTROOM_TEMPORAL_UI_PORT"),
            ],
            telling=None,
        )

    def _mailbox(self) -> Part:
        settings = self.settings
        return Part(
            "mailbox",
            python("postroom.mailbox"),
            ready=answers_http(settings.mailbox_http_port, "/"),
            ports=[
                Port(settings.mailbox_smtp_port, "mailbox, SMTP", "POSTROOM_MAILBOX_SMTP_PORT"),
                Port(settings.mailbox_http_port, "mailbox, page", "POSTROOM_MAILBOX_HTTP_PORT"),
            ],
            environment={
                "POSTROOM_MAILBOX_SMTP_PORT": str(settings.mailbox_smtp_port),
                "POSTROOM_MAILBOX_HTTP_PORT": str(settings.mailbox_http_port),
                "POSTROOM_MAILBOX_DATA_DIR": str(self.data_dir / "mailbox"),
                "POSTROOM_MAILBOX_SILENT_TIMEOUT": str(SILENT_SECONDS),
            },
            options=CHECKED_OUT,
        )

    def _migrations(self, postgres: EmbeddedPostgres | None) -> Part:
        return Part(
            "migrations",
            python("alembic", "upgrade", "head"),
            after=["postgres"],
            prepare=(lambda: postgres.ensure_database(DATABASE)) if postgres else None,
            options=CHECKED_OUT,
            once=True,
        )

    def _demo(self) -> Part:
        return Part(
            "demo",
            python("postroom.local.demo"),
            after=["migrations"],
            environment={DEMO_KEY: self.credentials.demo_key},
            options=CHECKED_OUT,
            once=True,
        )

    def _scene(self) -> Part:
        return Part(
            "scene",
            python("postroom.local.scene"),
            after=["api", "demo"],
            environment={DEMO_KEY: self.credentials.demo_key, API_PORT: str(self.settings.api_port)},
            options=CHECKED_OUT,
            once=True,
        )

    def _worker(self) -> Part:
        return Part(
            "worker",
            python("worker"),
            ready=says("carrying for "),
            after=["migrations", "temporal", "mailbox"],
            options=CHECKED_OUT,
            patience=WORKER_DRAIN_SECONDS,
        )

    def _api(self) -> Part:
        port = self.settings.api_port
        drain = ("--timeout-graceful-shutdown", str(API_DRAIN_SECONDS))
        return Part(
            "api",
            python(
                "uvicorn",
                "--factory",
                "api.app:create_app",
                "--host",
                HOST,
                "--port",
                str(port),
                "--no-access-log",
                "--no-proxy-headers",
                "--ws",
                "none",
                *drain,
                "--timeout-keep-alive",
                str(API_KEEP_ALIVE_SECONDS),
            ),
            ready=answers_http(port, "/api/v1/health"),
            after=["migrations"],
            ports=[Port(port, "API", "POSTROOM_API_PORT")],
            options=CHECKED_OUT,
            patience=API_DRAIN_SECONDS + 5,
        )


CHECKED_OUT: Mapping[str, object] = {"cwd": CHECKOUT}


def python(module: str, *arguments: str) -> list[str]:
    """Command line of one of our own modules under this interpreter."""
    return [sys.executable, "-m", module, *arguments]
