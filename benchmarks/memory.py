"""Resident memory of running parts, sampled while they work: does it stay flat?"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

import psutil

from benchmarks.figures import Course, Figure, Finding, Goal
from benchmarks.house import House

PARTS = {"worker": "the worker", "temporal": "the Temporal server"}
SAMPLE_SECONDS = 0.2
MEGABYTE = 1_000_000
FLAT = Goal(below=20)  # per cent from the middle to the end; from the start to the middle caches fill


@dataclass(slots=True)
class Memory:
    """Samples in megabytes, by part."""

    samples: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PARTS})

    def course(self, name: str) -> tuple[float, float, float]:
        """At the start, in the middle and at the end."""
        seen = self.samples[name]
        return seen[0], seen[len(seen) // 2], seen[-1]

    def take(self, house: House) -> None:
        """Add a sample of every part."""
        for name, seen in self.samples.items():
            seen.append(psutil.Process(house.children[name].pid).memory_info().rss / MEGABYTE)


@asynccontextmanager
async def watched(house: House) -> AsyncIterator[Memory]:
    """Sample until left; worker and Temporal must run."""
    memory = Memory()
    memory.take(house)

    async def follow() -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            memory.take(house)

    following = asyncio.create_task(follow())
    try:
        yield memory
    finally:
        following.cancel()
        memory.take(house)


def memory_findings(section: str, rounds: Sequence[Memory]) -> list[Finding]:
    """Say for each part how much it held, the median of the rounds, and how much that grew in the second half."""
    findings = []
    for name, called in PARTS.items():
        courses = [memory.course(name) for memory in rounds]
        course = Course([median(column) for column in zip(*courses, strict=True)])
        growth = Figure([(end / middle - 1) * 100 for _, middle, end in courses])
        findings += [
            Finding(section, f"memory of {called} at start, middle and end", "MB", course),
            Finding(section, f"growth of it from middle to end, {called}", "%", growth, goal=FLAT),
        ]
    return findings
