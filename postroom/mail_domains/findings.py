"""What can be wrong with a domain: each has a code, a sentence, and how much it matters."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Weight(StrEnum):
    """What a finding means for the domain's state."""

    ERROR = "error"  # mail would not be believed
    WARNING = "warning"
    UNKNOWN = "unknown"  # nobody answered: it says nothing about the domain


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a look at DNS found; `name` is where."""

    code: str
    weight: Weight
    name: str
    detail: str

    def stored(self) -> dict[str, Any]:
        """Spell it for the row and for the answer."""
        return {"code": self.code, "weight": str(self.weight), "name": self.name, "detail": self.detail}


def error(code: str, name: str, detail: str) -> Finding:
    """Find something that must be put right."""
    return Finding(code, Weight.ERROR, name, detail)


def warning(code: str, name: str, detail: str) -> Finding:
    """Find something worth knowing."""
    return Finding(code, Weight.WARNING, name, detail)


def silence(name: str, what: str) -> Finding:
    """Find that nobody answered."""
    return Finding("dns_silent", Weight.UNKNOWN, name, f"No DNS server answered for {what} in time; look again later.")
