"""Cancel, reschedule and send-now at random on members of pages that drain: every answer is kept."""

from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from postroom.identity import message_id
from tests.chaos.caller import Caller
from tests.chaos.house import WORKER, House, Told
from tests.chaos.loads import DEMO, Load, accept
from tests.chaos.oracle import MAIL_DOMAIN, ended, judge
from tests.chaos.report import Report
from tests.chaos.storm import Storm, broken
from tests.fixtures.sink import Behaviour

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

PATIENCE = 180.0
SLOW = Behaviour.hang("dot", 0.1)

FATES = """
SELECT n.id, n.state, n.ended_at, d.id AS delivery_id,
    array(SELECT a.at FROM delivery_attempts a WHERE a.delivery_id = d.id ORDER BY a.id) AS times,
    array(SELECT a.event FROM delivery_attempts a WHERE a.delivery_id = d.id ORDER BY a.id) AS events
FROM notifications n LEFT JOIN deliveries d ON d.notification_id = n.id WHERE n.id = ANY(%s)
"""


@pytest.fixture
def told(report: Report) -> Told:
    return {WORKER: {"POSTROOM_PAGE_SIZE": str(report.size(50, 500))}}


async def test_every_answer_is_kept(house: House, caller: Caller, report: Report) -> None:
    count = report.size(300, 4_000)
    house.sink.behave("ok", SLOW)
    tenant_id = (await house.rows(DEMO))[0]["id"]
    ids = await accept(house.database_url, Load(tenant_id, "storm", count))
    storm = Storm(caller, "storm")
    await storm.rage(ids, count)
    house.sink.behave("ok")
    await ended(house, ids, PATIENCE)
    verdict = await judge(house, ids)
    fates = {row["id"]: row | {"busy": busy(row)} for row in await house.rows(FATES, ids)}
    copies = received(house, fates)
    kept = {one: broken(answers, fates[one], copies[one]) for one, answers in storm.answers.items()}
    said = Counter(f"{answer.verb}: {answer.said}" for answers in storm.answers.values() for answer in answers)
    report.note(f"storm-{count}", answers=dict(sorted(said.items())), **verdict.faults)
    assert not verdict.faults
    assert {one: found for one, found in kept.items() if found} == {}
    met = {"cancel: cancelling"} if report.times > 1 else set()  # in a small storm nobody need meet an open hand-off
    assert {"cancel: cancelled", "reschedule: rescheduled", "send-now: due"} | met <= said.keys()


def busy(row: dict[str, Any]) -> list[tuple[datetime, datetime]]:
    """When it was being handed off: from each mark to whatever came next."""
    steps = list(zip(row["events"], row["times"], strict=True))
    return [(begun, over) for (event, begun), (_, over) in pairwise(steps) if event in {"marked", "unknown"}]


def received(house: House, fates: dict[UUID, dict[str, Any]]) -> dict[UUID, list[datetime]]:
    """When the sink took each copy of each."""
    owners = {message_id(row["delivery_id"], MAIL_DOMAIN): one for one, row in fates.items() if row["delivery_id"]}
    found: dict[UUID, list[datetime]] = {one: [] for one in fates}
    for letter in house.sink.accepted:
        if letter.message_id in owners:
            found[owners[letter.message_id]].append(datetime.fromisoformat(letter.at))
    return found
