"""`python -m benchmarks [section ...] [--quick] [--json PATH]`: measure and print one table."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from benchmarks import (
    accept,
    backlog,
    batch,
    campaign,
    critical,
    end_to_end,
    fair_share,
    growth,
    hand_off,
    mime,
    mixed,
    policy,
    rendering,
    signing,
    under_backlog,
    under_campaign,
    wake_up,
)
from benchmarks.figures import Finding
from benchmarks.house import House, open_house
from benchmarks.report import machine, save, show
from benchmarks.scale import Scale

Section = Callable[[House, Scale], Awaitable[list[Finding]]]

SECTIONS: dict[str, Section] = {
    "accept": accept.measure,
    "end-to-end": end_to_end.measure,
    "critical": critical.measure,
    "hand-off": hand_off.measure,
    "policy": policy.measure,
    "backlog": backlog.measure,
    "batch": batch.measure,
    "critical-under-backlog": under_backlog.measure,
    "mixed": mixed.measure,
    "wake-up": wake_up.measure,
    "mime": mime.measure,
    "signing": signing.measure,
    "rendering": rendering.measure,
    "campaign": campaign.measure,
    "campaign-growth": growth.measure,
    "critical-under-campaign": under_campaign.measure,
    "fair-share": fair_share.measure,
    "campaign-million": growth.measure_million,
}
WHEN_NAMED = frozenset({"campaign-million"})  # takes a quarter of an hour
OURS = ("POSTROOM_", "TEMPORAL_", "DATABASE_URL", "SMTP_URL")


def main() -> None:
    """Run the sections that were asked for, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; all when none is named")
    parser.add_argument("--json", type=Path, help="write the figures of every round to this file as well")
    parser.add_argument("--quick", action="store_true", help="a tenth of the load in one round, to try a section")
    chosen = parser.parse_args()
    if unknown := set(chosen.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}; choose from {', '.join(SECTIONS)}")
    # Defaults are measured, and on parts of our own, whatever the shell says.
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    # Without byte code on disk the engine's sandbox compiles a workflow's module for each workflow.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.monotonic()
    print(machine(), flush=True)
    findings = uvloop.run(
        _run(chosen.sections or [name for name in SECTIONS if name not in WHEN_NAMED], Scale(quick=chosen.quick))
    )
    print(show(findings))
    print(f"\nTook {time.monotonic() - began:.0f} s.")
    if chosen.json:
        save(chosen.json, findings)
    sys.exit(any(finding.verdict == "MISSED" for finding in findings))


async def _run(names: Sequence[str], scale: Scale) -> list[Finding]:
    findings: list[Finding] = []
    # Asked to stop, nothing that was started may stay.
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with open_house() as house:
        print(f"Sink: {house.sink.host}:{house.sink.port}, a process of its own (python -m tests.fixtures.sink)")
        for name in names:
            print(f"Measuring {name} ...", flush=True)
            findings += await SECTIONS[name](house, scale)
    return findings


if __name__ == "__main__":
    main()
