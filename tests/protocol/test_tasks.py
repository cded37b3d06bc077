"""The model of a bulk send is searched: nothing leaves after the answer, counts are exact, and every recipient ends."""

import os
from collections import deque
from dataclasses import replace

import pytest

from tests.protocol.task_steps import drained, steps, wrong
from tests.protocol.tasks import Send, Terms, begin

# With a greater POSTROOM_SEARCH_BUDGET it looks further.
BUDGET = round(3_000 * float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1")))
WORLDS = {
    "two actions": Terms(faults=0, actions=2),
    "a fault and an action": Terms(faults=1, actions=1),
    "three actions and two faults at one": Terms(recipients=1, faults=2, actions=3),
}


def search(terms: Terms, budget: int) -> tuple[str, list[str], int]:
    """Look at every state; returns what is wrong, how it came to that, and how many were looked at."""
    first = begin(terms)
    parents: dict[Send, tuple[Send, str] | None] = {first: None}
    queue = deque([first])
    while queue and len(parents) < budget:
        send = queue.popleft()
        for name, after in steps(terms, send):
            if after in parents:
                continue
            parents[after] = (send, name)
            said = wrong(after) or drained(terms, after, resume=True) or drained(terms, after, resume=False)
            if said:
                return said, told(parents, after), len(parents)
            queue.append(after)
    return "", [], len(parents)


def told(parents: dict[Send, tuple[Send, str] | None], send: Send) -> list[str]:
    """The steps to a state."""
    names = list[str]()
    link = parents[send]
    while link is not None:
        names.append(link[1])
        link = parents[link[0]]
    return names[::-1]


@pytest.mark.parametrize("name", WORLDS)
def test_search_finds_nothing_wrong(name: str) -> None:
    said, trace, states = search(WORLDS[name], BUDGET)
    assert not said, "\n".join([said, *trace])
    assert states > 1_000


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("mark_asks_task", "marked after the answer"),
        ("skip_revokes", "marked after the answer"),
        ("asks_while_paused", "nobody asks"),
        ("changes_touch_pages", "counts that are not exact"),
        ("claim_uncounts", "counts that are not exact"),
        ("owed_until_looked", "never over"),
    ],
)
def test_each_rule_is_needed(rule: str, said: str) -> None:
    terms = replace(Terms(recipients=1, faults=1, actions=2), **{rule: False})
    assert search(terms, 60_000)[0] == said
