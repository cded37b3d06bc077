"""The report: figures of rounds, goals, and what makes a run fail."""

import json
from pathlib import Path

import pytest

from benchmarks.figures import Course, Figure, Finding, Goal, percentile
from benchmarks.memory import Memory, memory_findings
from benchmarks.report import save, show
from benchmarks.scale import Scale


def finding(rounds: list[float], bare: list[float] | None = None, **goals: Goal) -> Finding:
    return Finding("section", "mails", "/s", Figure(rounds), Figure(bare) if bare else None, **goals)


def test_a_figure_is_the_median_of_its_rounds_with_their_range() -> None:
    figure = Figure([30.0, 10.0, 11.0])
    assert (figure.median, figure.low, figure.high) == (11.0, 10.0, 30.0)


def test_a_ratio_pairs_each_round_with_the_bare_one_beside_it() -> None:
    ratio = finding([100.0, 20.0, 60.0], [50.0, 10.0, 20.0]).ratio
    assert ratio is not None
    assert ratio.rounds == [2.0, 2.0, 3.0]


@pytest.mark.parametrize(("goal", "met", "missed"), [(Goal(at_least=30), 30.0, 29.9), (Goal(below=500), 499.9, 500.0)])
def test_a_goal_is_met_up_to_its_edge(goal: Goal, met: float, missed: float) -> None:
    assert finding([met], goal=goal).verdict == "met"
    assert finding([missed], goal=goal).verdict == "MISSED"


def test_one_missed_goal_of_two_is_a_miss() -> None:
    goals = {"goal": Goal(at_least=2_000), "ratio_goal": Goal(at_least=1.0)}
    assert finding([2_100.0], [2_000.0], **goals).verdict == "met"
    assert finding([2_100.0], [2_200.0], **goals).verdict == "MISSED"
    assert finding([1_900.0], [1_800.0], **goals).verdict == "MISSED"


def test_without_a_goal_there_is_no_verdict() -> None:
    assert finding([1.0], [2.0]).verdict == ""


def test_the_median_round_decides() -> None:
    assert finding([1.0, 31.0, 31.0], goal=Goal(at_least=30)).verdict == "met"


def test_the_percentile_is_a_value_that_was_measured() -> None:
    values = [float(one) for one in range(1, 101)]
    assert percentile(values, 0.99) == 100.0
    assert percentile(values, 0.5) == 51.0
    assert percentile([7.0], 1.0) == 7.0


def test_the_table_shows_median_range_ratio_goal_and_verdict() -> None:
    text = show([finding([900.0, 1_000.0, 1_100.0], [20.0, 25.0, 50.0], ratio_goal=Goal(at_least=30))])
    head, _, line = text.splitlines()
    assert head.split() == ["section", "what", "Postroom", "bare", "ratio", "goal"]
    assert line.split("  ")[-1] == "met"
    for cell in ("1,000 (900-1,100)", "25 (20-50)", "40.00 (22.00-45.00)", "ratio >= 30"):
        assert cell in line


def test_a_course_is_told_in_its_order() -> None:
    line = show([Finding("section", "memory", "MB", Course([118.0, 196.0, 190.0]))]).splitlines()[-1]
    assert "118 > 196 > 190" in line


def test_memory_that_grows_in_the_second_half_is_noticed() -> None:
    flat = Memory({"worker": [100.0, 150.0, 150.0, 151.0], "temporal": [200.0, 210.0, 220.0, 230.0]})
    leaking = Memory({"worker": [100.0, 150.0, 150.0, 200.0], "temporal": [200.0, 210.0, 220.0, 230.0]})
    assert [one.verdict for one in memory_findings("section", [flat])] == ["", "met", "", "met"]
    assert [one.verdict for one in memory_findings("section", [leaking])] == ["", "MISSED", "", "met"]
    assert memory_findings("section", [leaking])[0].ours.rounds == [100.0, 150.0, 200.0]


def test_every_round_is_kept_as_json(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    save(path, [finding([3.0, 4.0], [1.0, 2.0], ratio_goal=Goal(at_least=2.5))])
    [kept] = json.loads(path.read_text())["findings"]
    assert (kept["postroom"], kept["bare"], kept["ratio"]) == ([3.0, 4.0], [1.0, 2.0], [3.0, 2.0])
    assert kept["verdict"] == "met"


def test_trying_takes_a_tenth_in_one_round() -> None:
    whole, quick = Scale(), Scale(quick=True)
    assert (whole.count(10_000), whole.rounds(3)) == (10_000, 3)
    assert (quick.count(10_000), quick.rounds(3)) == (1_000, 1)
