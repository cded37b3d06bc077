"""Liveness of the model: from any state, a fair system without further faults accounts for everything."""

from tests.protocol.invariants import finished, open_carrier, violations
from tests.protocol.model import Step, candidates, start, take_step
from tests.protocol.rules import World
from tests.protocol.state import State, Worker

# What a fair system does first; time passes only when nothing else is left to do.
FAIR = (
    "record_accepted", "record_definite", "record_silence", "resolve", "release_write", "withdraw", "dot",
    "mark_write", "mark", "correct", "lapse", "expire", "look_write", "call", "gather", "gather_waiting",
    "poke", "watch", "wake", "look", "begin", "ask", "claim", "finish", "tick",
)  # fmt: skip


def fair_step(world: World, state: State) -> tuple[Step, State] | None:
    """The next step of a fair system; None when there is none left."""
    possible = sorted((FAIR.index(str(step[0])), step) for step in candidates(state) if step[0] in FAIR)
    for _, step in possible:
        after = take_step(world, state, step)
        if after is not None and after != state:
            return step, after
    return None


class Drain:
    """Runs states to their end and remembers the ones that are known to get there."""

    def __init__(self, world: World, *, everyone_dies: bool) -> None:
        """Take the world; `everyone_dies` first loses every worker, so that only the rows can bring things on."""
        self.world = world
        self._everyone_dies = everyone_dies
        self._good: set[State] = set()
        self.last = start(world)  # where the last story ended

    def settles(self, state: State) -> bool:
        """Whether the state ends with every notification accounted for, no promise broken on the way."""
        return not self.story(state)[1]

    def story(self, state: State) -> tuple[list[Step], str]:
        """Run to the end: the steps, and what went wrong (empty when all is well)."""
        state = state._replace(faults=0, actions=0)
        if self._everyone_dies:
            state = state._replace(workers=(Worker(),) * len(state.workers))
        self.last = state
        passed: set[State] = set()
        taken: list[Step] = []
        while state not in self._good and not at_rest(state):
            if state in passed:
                return taken, "runs in circles"
            passed.add(state)
            found = fair_step(self.world, state)
            if found is None:
                return taken, "stands still"
            taken.append(found[0])
            self.last = state = found[1]
            if violations(state):
                return taken, violations(state)[0]
        self._good |= passed
        return taken, ""


def at_rest(state: State) -> bool:
    """Accounted for, and no carrier is left open."""
    return finished(state) and not any(map(open_carrier, state.carriers))
