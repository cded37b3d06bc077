"""How much of a section is run: all of it, or a tenth to see that it works."""

from dataclasses import dataclass

SHARE = 10


@dataclass(frozen=True, slots=True)
class Scale:
    """The whole load, or a tenth of it in one round, which tries a section and measures little."""

    quick: bool = False

    def count(self, whole: int) -> int:
        """How many of `whole`."""
        return whole // SHARE if self.quick else whole

    def rounds(self, whole: int) -> int:
        """How many rounds of `whole`."""
        return 1 if self.quick else whole
