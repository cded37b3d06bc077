"""A plain breadth-first search of the model with a budget of states; every state found is checked and drained."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.protocol.draining import Drain
from tests.protocol.invariants import step_violations, violations
from tests.protocol.model import Step, start, steps
from tests.protocol.rules import World
from tests.protocol.state import State
from tests.protocol.tidying import any_order


@dataclass(frozen=True, slots=True)
class Finding:
    """The shortest way to something wrong, or the count of states in which nothing was."""

    states: int
    exhausted: bool
    wrong: str = ""
    trace: tuple[Step, ...] = ()

    def told(self) -> str:
        """The story of a finding, one step a line."""
        return "\n".join([f"{self.wrong} after {len(self.trace)} steps, {self.states} states", *map(str, self.trace)])


class Search:
    """Explores one world; the seen states are kept by their parents, so that a trace can be told."""

    def __init__(self, world: World, budget: int) -> None:
        """Take the world and the most states to look at."""
        self._world = world
        self._budget = budget
        self._parents: dict[State, tuple[State, Step] | None] = {}
        self._drain = Drain(world, everyone_dies=True)

    def run(self, is_wrong: Callable[[str], bool] = bool) -> Finding:
        """Look until something that `is_wrong` accepts is found, nothing new is left, or the budget is spent."""
        first = start(self._world)
        self._parents[first] = None
        queue = deque([first])
        while queue:
            state = queue.popleft()
            for step, reached in steps(self._world, state):
                after = any_order(reached)
                if after in self._parents:
                    continue
                self._parents[after] = (state, step)
                wrong = self._wrong(state, after)
                if wrong and is_wrong(wrong):
                    return Finding(len(self._parents), exhausted=False, wrong=wrong, trace=self._trace(after))
                if not wrong:
                    queue.append(after)
            if len(self._parents) > self._budget:
                return Finding(len(self._parents), exhausted=False)
        return Finding(len(self._parents), exhausted=True)

    def _wrong(self, before: State, after: State) -> str:
        """The first thing wrong with a state or the step that led to it."""
        found = violations(after) + step_violations(before, after)
        return found[0] if found else self._drain.story(after)[1]

    def _trace(self, state: State) -> tuple[Step, ...]:
        """The steps from the start."""
        taken: list[Step] = []
        link = self._parents[state]
        while link is not None:
            taken.append(link[1])
            link = self._parents[link[0]]
        return tuple(reversed(taken))
