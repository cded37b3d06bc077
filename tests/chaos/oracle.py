"""Compares what was accepted with what the sink took and what the ledger says: lost, duplicates, unknown, by id."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import OperationalError

from postroom.identity import message_id
from tests.chaos.house import House
from tests.fixtures.sink import Accepted

MAIL_DOMAIN = "postroom.example"
POLL_SECONDS = 0.05

OPEN = "SELECT count(*) AS count FROM notifications WHERE id = ANY(%s) AND state = 'open'"

# One row per delivery; `events` are its attempts in order.
STORY = """
SELECT n.id, n.state, n.reason, d.id AS delivery_id, d.state AS delivery_state, d.reason AS delivery_reason, d.resends,
       array(SELECT a.event FROM delivery_attempts a WHERE a.delivery_id = d.id ORDER BY a.id) AS events
FROM notifications n LEFT JOIN deliveries d ON d.notification_id = n.id
WHERE n.id = ANY(%s) ORDER BY n.id, d.position
"""

DOUBTFUL = frozenset({"unknown", "held"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one round came to. Every field but `accepted`, `unknown` and `resent` should be empty.

    `unknown` names the deliveries nobody answered for and how each ended; `resent` those the ledger owns up to have sent
    again without knowing; `duplicates` counts copies by Message-ID.
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

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled, changed, or told otherwise than it was."""
        return not self.faults

    @property
    def faults(self) -> dict[str, Any]:
        """Everything that should not be."""
        named = {
            "lost": self.lost,
            "duplicates": self.duplicates,
            "copies unlike each other": self.unlike,
            "accepted in the ledger, not in the sink": self.unproven,
            "in the sink, denied by the ledger": self.denied,
            "still unknown": self.unresolved,
        }
        return {name: ids for name, ids in named.items() if ids}


async def ended(house: House, ids: Sequence[UUID], patience: float) -> bool:
    """Wait until none of these is open; False when some still are after that many seconds."""
    try:
        async with asyncio.timeout(patience):
            while await _still_open(house, ids):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
    return True


async def _still_open(house: House, ids: Sequence[UUID]) -> bool:
    try:
        return bool((await house.rows(OPEN, list(ids)))[0]["count"])
    except OperationalError:
        return True  # Postgres is the victim, and comes back


async def judge(house: House, ids: Sequence[UUID]) -> Verdict:
    """Judge what became of these notifications."""
    story = await house.rows(STORY, list(ids))
    letters = _by_message(house.sink.accepted)
    copies = Counter({name: len(found) for name, found in letters.items()})
    verdict = Verdict(accepted=len(ids))
    known = {row["id"] for row in story}
    verdict.lost.extend(str(one) for one in ids if one not in known)
    for row in story:
        _judge_one(row, copies, verdict)
    for row in story:
        name = _message_of(row)
        if len({letter.sha256 for letter in letters.get(name, ())}) > 1:
            verdict.unlike.append(name)
    return verdict


def _judge_one(row: Mapping[str, Any], copies: Counter[str], verdict: Verdict) -> None:
    name, in_sink = _message_of(row), copies[_message_of(row)] > 0
    if row["state"] == "open" or (row["state"] == "sent" and not in_sink):
        verdict.lost.append(str(row["id"]))
    if row["delivery_id"] is None:
        return
    delivery = row["delivery_id"].hex
    if copies[name] > 1:
        verdict.duplicates[name] = copies[name]
    if row["delivery_state"] == "accepted" and not in_sink:
        verdict.unproven.append(delivery)
    if in_sink and row["delivery_state"] != "accepted":
        verdict.denied.append(delivery)
    if row["delivery_state"] in DOUBTFUL:
        verdict.unresolved.append(delivery)
    if "unknown" in row["events"]:
        verdict.unknown[delivery] = f"{row['delivery_state']} ({row['delivery_reason']})"
    if row["resends"]:
        verdict.resent.append(delivery)


def _message_of(row: Mapping[str, Any]) -> str:
    return message_id(row["delivery_id"], MAIL_DOMAIN) if row["delivery_id"] else ""


def _by_message(accepted: Sequence[Accepted]) -> dict[str, list[Accepted]]:
    letters: dict[str, list[Accepted]] = {}
    for letter in accepted:
        letters.setdefault(letter.message_id, []).append(letter)
    return letters
