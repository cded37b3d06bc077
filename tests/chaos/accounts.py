"""Judges a bulk send: everybody in exactly one final state, sums that agree, and what the sink took for each."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from psycopg import OperationalError

from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES
from postroom.database.wording import listed
from postroom.identity import DELIVERY
from tests.chaos.oracle import Row, Verdict, Witness, letters_by_id, letters_of, weighed
from tests.chaos.tasks import Task
from tests.fixtures.waiting import until

# A task waits for what is held for a day; what else there was to do is done by then.
OVER = """
SELECT count(*) AS count FROM campaign_tasks c WHERE c.id = ANY(%s) AND (
    (c.ended_at IS NULL AND NOT EXISTS (SELECT FROM task_pages p WHERE p.task_id = c.id AND p.counts ? 'held'))
    OR EXISTS (SELECT FROM task_pages p WHERE p.task_id = c.id AND p.next_at IS NOT NULL
                   AND p.counts ?| ARRAY['pending', 'deferred', 'claimed', 'handing_off', 'unknown']))
"""

# The words of the notifications' story, so that one judge serves both.
STORY = f"""
SELECT d.id, d.id AS delivery_id, d.state AS delivery_state, d.reason AS delivery_reason, d.resends,
       CASE WHEN d.state = 'accepted' THEN 'sent' WHEN d.state IN {listed(FINAL_DELIVERY_STATES)} THEN d.state
            ELSE 'open' END AS state,
       array(SELECT a.event FROM delivery_attempts a WHERE a.delivery_id = d.id ORDER BY a.id) AS events
FROM deliveries d WHERE d.task_id = %s ORDER BY d.seq
"""

SUMS = """
SELECT c.state, c.audience, c.totals,
       (SELECT count(*) FROM task_recipients r WHERE r.task_id = c.id) AS recipients,
       (SELECT count(DISTINCT r.user_id) FROM task_recipients r WHERE r.task_id = c.id AND user_id IS NOT NULL)
           + (SELECT count(*) FROM task_recipients r WHERE r.task_id = c.id AND user_id IS NULL) AS people,
       (SELECT coalesce(max(d.seq), 0) FROM deliveries d WHERE d.task_id = c.id) AS last_seq,
       (SELECT coalesce(jsonb_object_agg(state, count), '{}') FROM (
           SELECT state, count(*) FROM deliveries d WHERE d.task_id = c.id GROUP BY state) s) AS rows,
       (SELECT coalesce(jsonb_object_agg(key, count), '{}') FROM (
           SELECT e.key, sum(e.value::int) AS count FROM task_pages p, jsonb_each_text(p.counts) e
           WHERE p.task_id = c.id GROUP BY e.key) s) AS pages
FROM campaign_tasks c WHERE c.id = %s
"""


async def over(witness: Witness, tasks: Sequence[Task], patience: float) -> None:
    """Wait until all of these are over with every page, as long as the sink takes more and that many seconds longer.

    What is not over then, the judge finds.
    """
    ids, taken = [task.id for task in tasks], -1

    async def all_over() -> bool:
        try:
            return not (await witness.rows(OVER, ids))[0]["count"]
        except OperationalError:
            return False  # Postgres is the victim, and comes back

    while taken < len(witness.sink.accepted):
        taken = len(witness.sink.accepted)
        with suppress(TimeoutError):
            await until(all_over, patience)
            break


async def account(witness: Witness, task: Task) -> Verdict:
    """Judge what became of a task: of each of its recipients, and of its sums."""
    story = await witness.rows(STORY, task.id)
    letters = letters_by_id(witness.sink)
    verdict = weighed(story, [row["id"] for row in story], lambda row: letters_of(row, letters), DELIVERY)
    verdict.duplicates.update(_told_twice(witness, task))
    verdict.unbalanced.update(_unbalanced((await witness.rows(SUMS, task.id))[0], task.crowd.count))
    return verdict


async def states(witness: Witness, task_id: UUID) -> dict[str, int]:
    """Its recipients by state, as the rows have them."""
    [sums] = await witness.rows(SUMS, task_id)
    return dict(sums["rows"])


def _told_twice(witness: Witness, task: Task) -> dict[str, int]:
    """Who got messages of the task that are not even copies of each other."""
    found: dict[str, set[str]] = {}
    for letter in witness.sink.accepted:
        if task.crowd.holds(letter.to):
            found.setdefault(letter.to, set()).add(letter.message_id)
    return {address: len(ids) for address, ids in found.items() if len(ids) > 1}


def _unbalanced(sums: Row, expected: int) -> dict[str, Any]:
    """Which of the sums contradict each other."""
    alike: dict[str, tuple[object, object]] = {
        "audience": (sums["audience"], expected),
        "recipients": (sums["recipients"], expected),
        "people": (sums["people"], expected),
        "last seq": (sums["last_seq"], expected),
        "totals": (sums["totals"], sums["rows"]),
        "pages": (sums["pages"], sums["rows"]),
        "sum": (sum(sums["rows"].values()), expected),
    }
    return {name: list(pair) for name, pair in alike.items() if pair[0] != pair[1]}
