"""What the kill harness found: lost, duplicates and unknown by id, for each barrier and victim; printed and as JSON."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.chaos.oracle import Verdict
from tests.chaos.scene import Scene

COUNTED = ("lost", "duplicates", "unknown")
CROWD = "(in the crowd)"
TOLD_BY_NAME = 16
FRAME = frozenset({"round", "victim", "barriers", "stood", "accepted"})


@dataclass(slots=True)
class Report:
    """All rounds of one run; `times` is how often each was asked for, and decides how large they are."""

    times: int = 1
    rounds: list[dict[str, object]] = field(default_factory=list)
    _kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    _found: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, name: str, victim: str, scene: Scene, verdict: Verdict) -> None:
        """Write one round down. A kill counts for each barrier somebody stood at; what became of the others in the
        crowd counts for the only barrier, or for none.
        """
        found = {key: value for key, value in asdict(verdict).items() if value}
        where = {"barriers": list(scene.barriers), "stood": dict(scene.places)}
        self.rounds.append({"round": name, "victim": victim, **where, **found})
        elsewhere = scene.barriers[0] if len(scene.barriers) == 1 else CROWD
        for barrier in scene.barriers:
            self._kills[barrier, victim] += 1
        for what in COUNTED:
            for one in getattr(verdict, what):
                self._found[scene.places.get(one, elsewhere), victim, what] += 1

    def size(self, small: int, large: int) -> int:
        """How many of something: the first figure in one round, as in `make test`, the second in twenty."""
        return small if self.times == 1 else max(small, large * self.times // 20)

    def note(self, name: str, **figures: object) -> None:
        """Write figures down that belong to no kill."""
        self.rounds.append({"round": name, **figures})

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps({"rounds": self.rounds}, indent=1) + "\n")

    def lines(self) -> list[str]:
        """One line for each barrier and victim, then the ids of whatever is worth telling."""
        lines = [f"{'barrier':<24}{'victim':<16}{'kills':>6}{'lost':>6}{'duplicates':>12}{'unknown, resolved':>19}"]
        for barrier, victim in sorted({*self._kills, *((where, who) for where, who, _ in self._found)}):
            lost, doubled, unknown = (self._found[barrier, victim, what] for what in COUNTED)
            kills = self._kills[barrier, victim]
            lines.append(f"{barrier:<24}{victim:<16}{kills:>6}{lost:>6}{doubled:>12}{unknown:>19}")
        for one in self.rounds:
            told = {key: _in_short(value) for key, value in one.items() if key not in FRAME}
            lines += [f"{one['round']}: {json.dumps(told)}"] if told else []
        return lines


def _in_short(value: object) -> object:
    """A few ids as they are; of many their number, for the file has them all."""
    if isinstance(value, list | dict) and len(value) > TOLD_BY_NAME:
        return f"{len(value)} of them"
    return value
