"""Whom a rule finds, by reading it aloud: plain Python over plain people, to hold the SQL against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

FAILURES = {"rejected", "failed", "expired"}
OPENING = {"opened": {"open", "click"}, "clicked": {"click"}}


@dataclass(frozen=True, slots=True)
class Touch:
    """An open or a click, by a person or by a machine, so many days ago."""

    kind: str
    days: float
    machine: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one message of an earlier task, so many days ago."""

    task: str
    state: str
    days: float
    touches: Sequence[Touch] = ()

    def touched(self, did: str, days: float) -> bool:
        """Whether the person did it in the last so many days."""
        return any(one.kind in OPENING[did] and one.machine is None and one.days < days for one in self.touches)


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person as the rules see them."""

    user_id: str
    language: str | None = None
    time_zone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    sent: Sequence[Sent] = ()


def finds(rule: Mapping[str, Any], one: Somebody) -> bool:
    """Whether a rule finds somebody."""
    [(name, value)] = rule.items()
    return READINGS[name](value, one)


def holds(asked: Mapping[str, Any], held: object) -> bool:
    """Whether an attribute is as asked; None for one that is not there."""
    op, wanted = asked["op"], asked.get("value", True)
    if op in SIGNS:
        left, right = weight(held), weight(wanted)
        return left is not None and type(left) is type(right) and bool(getattr(left, SIGNS[op])(right))
    if op == "contains" and isinstance(held, list):
        return any(same(one, wanted) for one in held)
    if op in ("contains", "starts_with"):
        if not (isinstance(held, str) and isinstance(wanted, str)):
            return False
        return wanted in held if op == "contains" else held.startswith(wanted)
    if op == "exists":
        return (held is not None) is wanted
    return any(same(held, one) for one in (wanted if op == "in" else [wanted])) is (op != "not_equals")


def same(held: object, wanted: object) -> bool:
    """Equal and of the same kind; 1 is 1.0 but not true."""
    if isinstance(held, bool) or isinstance(wanted, bool):
        return held is wanted
    if isinstance(held, int | float) and isinstance(wanted, int | float):
        return Decimal(repr(held)) == Decimal(repr(wanted))
    return isinstance(held, str) and held == wanted


def weight(value: object) -> Decimal | datetime | None:
    """What can be compared: a number, or a date or time with its offset in the spelling of RFC 3339."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(repr(value))
    if not isinstance(value, str) or len(value) < 10 or not value.isascii() or value[4] + value[7] != "--":
        return None
    if len(value) > 10 and (value[10] not in "Tt " or "," in value or (value[-1] not in "Zz" and value[-3] != ":")):
        return None
    try:
        read = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    if len(value) == 10:
        return read.replace(tzinfo=UTC)
    return read if read.tzinfo else None


def _tagged(how: str, asked: set[str], held: frozenset[str]) -> bool:
    return {"any": bool(asked & held), "all": asked <= held, "none": not asked & held}[how]


def _did(did: str, sent: Sent) -> bool:
    if did == "failed":
        return sent.state in FAILURES
    if did == "accepted":
        return sent.state == "accepted"
    ever = timedelta.max.days
    if did.startswith("not_"):
        return sent.state == "accepted" and not sent.touched(did.removeprefix("not_"), ever)
    return sent.touched(did, ever)


def _lately(did: str, days: int, sent: Sequence[Sent]) -> bool:
    received = any(one.state == "accepted" and one.days < days for one in sent)
    if did.endswith("received"):
        return received is not did.startswith("not_")
    touched = any(one.touched(did.removeprefix("not_"), days) for one in sent)
    return received and not touched if did.startswith("not_") else touched


READINGS: Mapping[str, Callable[[Any, Somebody], bool]] = {
    "everyone": lambda value, one: value is True and bool(one.user_id),
    "all": lambda value, one: all(finds(part, one) for part in value),
    "any": lambda value, one: any(finds(part, one) for part in value),
    "not": lambda value, one: not finds(value, one),
    "tags": lambda value, one: all(_tagged(how, set(tags), one.tags) for how, tags in value.items()),
    "attribute": lambda value, one: holds(value, one.attributes.get(value["name"])),
    "language": lambda value, one: any(f"{one.language}-".lower().startswith(f"{tag}-".lower()) for tag in value),
    "time_zone": lambda value, one: one.time_zone in value,
    "activity": lambda value, one: _lately(value["did"], value["within_days"], one.sent),
    "task": lambda value, one: any(_did(value["did"], sent) for sent in one.sent if sent.task == value["id"]),
    "user_ids": lambda value, one: one.user_id in value,
}
SIGNS = {"greater": "__gt__", "less": "__lt__", "at_least": "__ge__", "at_most": "__le__"}
