"""Figures: one value per round, their median and range, and the ratio to what ran beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """The same thing measured once per round, in the order of the rounds."""

    rounds: Sequence[float]

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.rounds)

    @property
    def low(self) -> float:
        """The smallest round."""
        return min(self.rounds)

    @property
    def high(self) -> float:
        """The largest round."""
        return max(self.rounds)

    def over(self, other: "Figure") -> "Figure":
        """Ratios round by round: neighbours in time share the machine's mood."""
        return Figure([mine / theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True)])


@dataclass(frozen=True, slots=True)
class Course(Figure):
    """Not rounds of one thing but how it went on: told in order, without a middle or a range."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should reach: at least, or below."""

    at_least: float | None = None
    below: float | None = None

    def met(self, value: float) -> bool:
        """Whether a value reaches it."""
        return (self.at_least is None or value >= self.at_least) and (self.below is None or value < self.below)

    def __str__(self) -> str:
        return f">= {self.at_least:,g}" if self.at_least is not None else f"< {self.below:,g}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `ratio_goal` speaks of the ratio to `bare`, `goal` of the figure itself."""

    section: str
    what: str
    unit: str
    ours: Figure
    bare: Figure | None = None
    goal: Goal | None = None
    ratio_goal: Goal | None = None

    @property
    def ratio(self) -> Figure | None:
        """Ours over bare."""
        return self.ours.over(self.bare) if self.bare else None

    @property
    def verdict(self) -> str:
        """Say whether the goals are met, judged by the median; nothing where there is none."""
        asked = [(self.goal, self.ours), (self.ratio_goal, self.ratio)]
        met = [goal.met(figure.median) for goal, figure in asked if goal and figure]
        return "" if not met else "met" if all(met) else "MISSED"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of all values lie (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]
