"""What the kill harness found: lost, duplicates and unknown by id, for each barrier and victim; printed and as JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.chaos.oracle import Verdict


@dataclass(slots=True)
class Report:
    """All rounds of one run."""

    rounds: list[dict[str, object]] = field(default_factory=list)
    _kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    _found: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, name: str, victim: str, barriers: Sequence[str], verdict: Verdict) -> None:
        """Write one round down; a kill with messages at several barriers counts for each."""
        found = {key: value for key, value in asdict(verdict).items() if value}
        self.rounds.append({"round": name, "victim": victim, "barriers": list(barriers), **found})
        for barrier in barriers:
            self._kills[barrier, victim] += 1
            for what in ("lost", "duplicates", "unknown"):
                self._found[barrier, victim, what] += len(getattr(verdict, what))

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps({"rounds": self.rounds}, indent=1) + "\n")

    def lines(self) -> list[str]:
        """One line for each barrier and victim, then the ids of what should not be."""
        lines = [f"{'barrier':<24}{'victim':<16}{'kills':>6}{'lost':>6}{'duplicates':>12}{'unknown, resolved':>19}"]
        for (barrier, victim), kills in sorted(self._kills.items()):
            lost, doubled, unknown = (self._found[barrier, victim, what] for what in ("lost", "duplicates", "unknown"))
            lines.append(f"{barrier:<24}{victim:<16}{kills:>6}{lost:>6}{doubled:>12}{unknown:>19}")
        for one in self.rounds:
            wrong = {key: one[key] for key in ("lost", "duplicates", "unresolved", "denied", "unproven") if key in one}
            if wrong:
                lines.append(f"{one['round']}: {json.dumps(wrong)}")
        return lines
