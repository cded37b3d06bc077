"""Compares what was accepted with what the sink took and what the ledger says: lost, duplicates, unknown, by id."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from psycopg import OperationalError

from postroom.identity import NOTIFICATION, message_id, public_id
from tests.fixtures.sink import Sink
from tests.fixtures.waiting import until

MAIL_DOMAIN = "postroom.example"

OPEN = "SELECT count(*) AS count FROM notifications WHERE id = ANY(%s) AND state = 'open'"
# What is held stays so for a day when there is nobody to ask.
UNHELD = (
    f"{OPEN} AND NOT EXISTS (SELECT FROM deliveries d WHERE d.notification_id = notifications.id AND d.state = 'held')"
)

# One row per delivery; `events` are its attempts in order.
STORY = """
SELECT n.id, n.state, n.reason, d.id AS delivery_id, d.state AS delivery_state, d.reason AS delivery_reason, d.resends,
       array(SELECT a.event FROM delivery_attempts a WHERE a.delivery_id = d.id ORDER BY a.id) AS events
FROM notifications n LEFT JOIN deliveries d ON d.notification_id = n.id
WHERE n.id = ANY(%s) ORDER BY n.id, d.position
"""

DOUBTFUL = frozenset({"unknown", "held"})

Row = Mapping[str, Any]


class Witness(Protocol):
    """Where the truth is found: what the sink took, and what stands in the database."""

    @property
    def sink(self) -> Sink:
        """The sink everything went to."""

    async def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Ask the database, as its owner."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one round came to, by notification, or by recipient of a task.

    `unknown` and `resent` are told, not faulted; the others must be empty. `unknown` is what nobody answered for, and
    how each ended; `resent` what the ledger owns up to have sent again without knowing. `duplicates` counts copies in
    the sink, `unlike` names copies that differ. `unproven` is accepted in the ledger only, `denied` in the sink only.
    `unbalanced` are sums of a bulk send that contradict each other.
    """

    accepted: int
    lost: list[str] = field(default_factory=list)
    duplicates: dict[str, int] = field(default_factory=dict)
    unlike: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    resent: list[str] = field(default_factory=list)
    unbalanced: dict[str, Any] = field(default_factory=dict)

    @property
    def faults(self) -> dict[str, Any]:
        """Everything that should not be."""
        names = ("lost", "duplicates", "unlike", "unproven", "denied", "unresolved", "unbalanced")
        return {name: found for name in names if (found := getattr(self, name))}


async def ended(witness: Witness, ids: Sequence[UUID], patience: float, still: str = OPEN) -> None:
    """Wait until none of these is open, or that many seconds; what still is, the oracle finds."""

    async def all_ended() -> bool:
        try:
            return not (await witness.rows(still, list(ids)))[0]["count"]
        except OperationalError:
            return False  # Postgres is the victim, and comes back

    with suppress(TimeoutError):
        await until(all_ended, patience)


async def judge(witness: Witness, ids: Sequence[UUID]) -> Verdict:
    """Judge what became of these notifications."""
    letters = letters_by_id(witness.sink)
    return weighed(await witness.rows(STORY, list(ids)), ids, lambda row: letters_of(row, letters))


def letters_by_id(sink: Sink) -> dict[str, list[str]]:
    """The hash of every copy the sink took, by Message-ID."""
    letters: dict[str, list[str]] = {}
    for letter in sink.accepted:
        letters.setdefault(letter.message_id, []).append(letter.sha256)
    return letters


def letters_of(row: Row, letters: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The copies of one delivery."""
    delivery = row["delivery_id"]
    return letters.get(message_id(delivery, MAIL_DOMAIN), ()) if delivery else ()


def weighed(
    story: Sequence[Row], ids: Sequence[UUID], copies_of: Callable[[Row], Sequence[str]], kind: str = NOTIFICATION
) -> Verdict:
    """Judge by what the ledger says and what became of each delivery: a word for every copy, the same for like ones."""
    verdict = Verdict(accepted=len(ids))
    known = {row["id"] for row in story}
    verdict.lost.extend(public_id(kind, one) for one in ids if one not in known)
    for row in story:
        _judge_one(row, public_id(kind, row["id"]), copies_of(row), verdict)
    return verdict


def _judge_one(row: Row, name: str, copies: Sequence[str], verdict: Verdict) -> None:
    state = row["delivery_state"]
    findings: list[tuple[bool, list[str]]] = [
        (row["state"] == "open" or (row["state"] == "sent" and not copies), verdict.lost),
        (len(set(copies)) > 1, verdict.unlike),
        (state == "accepted" and not copies, verdict.unproven),
        (state != "accepted" and bool(copies), verdict.denied),
        (state in DOUBTFUL, verdict.unresolved),
        (bool(row["resends"]), verdict.resent),
    ]
    for found, where in findings:
        where.extend([name] if found else [])
    if len(copies) > 1:
        verdict.duplicates[name] = len(copies)
    if "unknown" in row["events"]:
        verdict.unknown[name] = f"{state} ({row['delivery_reason']})"
