"""Chooses the order in which a message is offered to services: by weight, health and what is left of their quotas."""

from collections.abc import Sequence
from uuid import UUID

from postroom.sender_services.book import Standing

SERVICES_REMEMBERED = 10_000


class Draw:
    """Smooth weighted round robin, as providers are chosen, with weights that change from message to message.

    The shares are exact over every round, and no service gets its share in one burst. A service that erred lately has
    its weight divided by how often it did; one with half its day's quota left has half its weight, so that several run
    out together and not one after the other.
    """

    def __init__(self) -> None:
        self._credits: dict[UUID, float] = {}

    def order(self, services: Sequence[Standing], first: str | None = None) -> list[Standing]:
        """Return services to be tried, the best first; what has nothing left comes last.

        `first` names the service that may have the message already: nobody else is asked before it.
        """
        able = [one for one in services if one.left > 0]
        full = [one for one in services if one.left <= 0]
        turns = self._turns(able) + full
        return sorted(turns, key=lambda one: one.party.name != first) if first else turns

    def _turns(self, services: Sequence[Standing]) -> list[Standing]:
        if len(services) <= 1:
            return list(services)
        if len(self._credits) >= SERVICES_REMEMBERED:
            self._credits.clear()
        shares = {one.id: one.weight * one.left / (1 + one.errors) for one in services}
        for name, share in shares.items():
            self._credits[name] = self._credits.get(name, 0.0) + share
        turns = sorted(services, key=lambda one: -self._credits[one.id])
        self._credits[turns[0].id] -= sum(shares.values())
        return turns
