"""Plays a story of steps in the model and says what it broke on the way or in the end."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.protocol.draining import Drain
from tests.protocol.invariants import step_violations, violations
from tests.protocol.model import Step, start, take_step
from tests.protocol.rules import World
from tests.protocol.state import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a story leads.

    `state` is the last one told; `wrong` what was wrong on the way; `refused` the steps whose guards said no; `ends`
    how each notification ended once a fair system, its workers lost, had run for `ticks`.
    """

    state: State
    wrong: frozenset[str]
    refused: tuple[Step, ...]
    ends: tuple[str, ...]
    ticks: int


def read_story(text: str) -> Iterator[Step]:
    """Steps are separated by semicolons, operands by blanks; numbers name rows and workers."""
    for line in text.replace("\n", " ").split(";"):
        if words := line.split():
            yield tuple(int(word) if word.isdigit() and index else word for index, word in enumerate(words))


def play(world: World, text: str) -> Outcome:
    """Take the steps one by one, leave out what is refused, then let a fair system run without its workers."""
    state = start(world)
    wrong: set[str] = set()
    refused = []
    for step in read_story(text):
        after = take_step(world, state, step)
        if after is None:
            refused.append(step)
            continue
        wrong |= {*violations(after), *step_violations(state, after)}
        state = after
    wrong |= {Drain(world, everyone_dies=False).story(state)[1]} - {""}
    drain = Drain(world, everyone_dies=True)
    taken, fault = drain.story(state)
    ends = tuple(note.state for note in drain.last.notes)
    return Outcome(state, frozenset(wrong | {fault} - {""}), tuple(refused), ends, taken.count(("tick",)))
