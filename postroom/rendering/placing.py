"""Gives every value in HTML the filter of its place, whichever way the conditions and loops around it will go."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jinja2 import nodes

from postroom.rendering.contexts import FILTERS, Place, Scanner
from postroom.rendering.trouble import Refused

_BY_STRICTNESS = list(Place)


def place_values(tree: nodes.Template) -> None:
    """Give every value in a checked tree of HTML the filter that its place asks for.

    Raises:
        Refused: a value stands where none may, on one way at least.
    """
    placing = Placing()
    placing.walk(tree.body, [Scanner()])
    placing.apply()


class Placing:
    """Follows every way through a tree at once; where two ways disagree about a value, the stricter filter counts."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], tuple[nodes.Output, Place]] = {}

    def walk(self, body: Sequence[nodes.Node], ways: Sequence[Scanner]) -> Sequence[Scanner]:
        """Go through what is written; `ways` are how one can have come here, and how one can leave is returned.

        Raises:
            Refused: a value stands where none may.
        """
        for node in body:
            match node:
                case nodes.Output():
                    self._say(node, ways)
                case nodes.If():
                    branches = [node.body, *(one.body for one in node.elif_), node.else_]
                    ways = _distinct(end for branch in branches for end in self.walk(branch, _copies(ways)))
                case nodes.For():
                    ways = _distinct([*self._turns(node, ways), *self.walk(node.else_, _copies(ways))])
        return ways

    def apply(self) -> None:
        """Put the filters in."""
        for (_, index), (output, place) in self._found.items():
            value = output.nodes[index]
            quoted = isinstance(value, nodes.Filter) and value.name == "urlencode" and place is not Place.LINK
            if place in FILTERS and not quoted:
                output.nodes[index] = nodes.Filter(value, str(place), [], [], None, None, lineno=value.lineno)

    def _turns(self, node: nodes.For, ways: Sequence[Scanner]) -> Sequence[Scanner]:
        """Go through a loop until another turn brings nothing new."""
        while True:
            known = _distinct([*ways, *self.walk(node.body, _copies(ways))])
            if len(known) == len(ways):
                return known
            ways = known

    def _say(self, output: nodes.Output, ways: Sequence[Scanner]) -> None:
        for index, node in enumerate(output.nodes):
            for way in ways:
                if isinstance(node, nodes.TemplateData):
                    way.feed(node.data)
                else:
                    self._meet(output, index, way)

    def _meet(self, output: nodes.Output, index: int, way: Scanner) -> None:
        try:
            place = way.meet()
        except Refused as refusal:
            refusal.line = output.nodes[index].lineno
            raise
        _, known = self._found.get((id(output), index), (output, place))
        self._found[id(output), index] = output, max(place, known, key=_BY_STRICTNESS.index)


def _copies(ways: Iterable[Scanner]) -> list[Scanner]:
    return [replace(way) for way in ways]


def _distinct(ways: Iterable[Scanner]) -> list[Scanner]:
    found: list[Scanner] = []
    for way in ways:
        if way not in found:
            found.append(way)
    return found
