"""Chooses the order in which a message is offered to providers: by position, and by weight where weights are given."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from postroom.channels.email.providers import Provider

GROUPS_REMEMBERED = 10_000

_Group = tuple[tuple[Provider, int], ...]


class Chooser:
    """Providers without a weight keep their position; neighbours with one share its traffic by weight.

    Smooth weighted round robin, as nginx does it: the choice is exact over every round of as many messages as the
    weights add up to, and no provider gets its share in one burst. Who is away takes no part, and has nothing to catch
    up with when it comes back.
    """

    def __init__(self) -> None:
        self._credits: dict[_Group, list[int]] = {}

    def order(self, providers: Sequence[Provider], present: Callable[[Provider], bool]) -> list[Provider]:
        """Return the providers to be tried, the best first; those that are not `present` come last in their group."""
        if len(providers) == 1:
            return list(providers)
        return [one for group in _groups(providers) for one in self._turns(group, present)]

    def _turns(self, group: Sequence[Provider], present: Callable[[Provider], bool]) -> list[Provider]:
        if len(group) == 1:
            return list(group)
        weights = [provider.weight or 0 for provider in group]
        credit = self._credit_of(tuple(zip(group, weights, strict=True)))
        here = [number for number, provider in enumerate(group) if present(provider)]
        away = [number for number in range(len(group)) if number not in here]
        for number in here:
            credit[number] += weights[number]
        turns = sorted(here, key=lambda number: -credit[number])
        if turns:
            credit[turns[0]] -= sum(weights[number] for number in here)
        return [group[number] for number in turns + away]

    def _credit_of(self, group: _Group) -> list[int]:
        if group not in self._credits:
            if len(self._credits) >= GROUPS_REMEMBERED:
                self._credits.clear()
            self._credits[group] = [0] * len(group)
        return self._credits[group]


def _groups(providers: Sequence[Provider]) -> Iterator[Sequence[Provider]]:
    for weighted, neighbours in groupby(providers, key=lambda provider: provider.weight is not None):
        if weighted:
            yield list(neighbours)
        else:
            yield from ([provider] for provider in neighbours)
