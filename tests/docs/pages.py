"""The documents of the checkout, and the parts of them that tests read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """One document."""

    path: Path

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    def links(self) -> Iterator[str]:
        """Targets of its links and pictures, as they are written."""
        return (match[1] for match in _LINK.finditer(self.text))

    def anchors(self) -> set[str]:
        """What a link may name behind `#`."""
        return {slug(match[1]) for match in _HEADING.finditer(self.text)}

    def blocks(self, language: str) -> list[str]:
        """Its fenced blocks in one language."""
        return [match[2] for match in _FENCE.finditer(self.text) if match[1] == language]

    def tables(self) -> Iterator[list[list[str]]]:
        """The rows of each table without its head, cell by cell."""
        rows: list[list[str]] = []
        for line in [*self.text.splitlines(), ""]:
            if line.startswith("|"):
                rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
            elif rows:
                yield rows[2:]
                rows = []


def pages() -> list[Page]:
    """Every document: those at the root, and all of `docs`."""
    return [Page(path) for path in sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])]


def page(name: str) -> Page:
    """One of them, by its path."""
    return Page(CHECKOUT / name)


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub spells it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
