"""Who is killed where: the named barriers, and every round there is."""

from dataclasses import dataclass

from tests.chaos.gates import Gate
from tests.chaos.house import API, POSTGRES, TEMPORAL, WORKER

# Stops of the sink, by the barrier's name. `mail` stops whoever comes next, so its message is the last to be sent.
STOPS = {"250": "250_before_record", "dot": "dot", "354": "354", "data": "data", "rcpt": "rcpt", "mail": "claimed"}

# One kill serves all stops of a conversation: a message stands at each.
CONVERSATION = "conversation"
KILLED_ANYWHERE = (WORKER, TEMPORAL, POSTGRES)
AT_THE_DOOR = (Gate.ACCEPTING, Gate.COMMITTING)
FURTHER_IN = (Gate.POKING, Gate.CLAIMING, Gate.MARKING, Gate.MARKED, Gate.RECORDING, Gate.SETTLING)


@dataclass(frozen=True, slots=True)
class Plan:
    """The seed decides everything that is left to chance."""

    victim: str
    barrier: str
    seed: int

    @property
    def name(self) -> str:
        """The round in one word, as the report and the test's id call it."""
        return f"{self.victim}-{self.barrier}-{self.seed}".replace(" ", "_")


def plans(rounds: int) -> list[Plan]:
    """Every victim at every barrier, `rounds` times; round n has seed n."""
    killed = [(victim, barrier) for victim in KILLED_ANYWHERE for barrier in (CONVERSATION, *FURTHER_IN)]
    killed += [(victim, gate) for victim in (API, POSTGRES) for gate in AT_THE_DOOR]
    return [Plan(victim, barrier, seed) for seed in range(rounds) for victim, barrier in killed]
