"""Mail servers that refuse at random, close in the middle or answer late: all end by the plan, rightly counted."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from temporalio.client import Client

from tests.chaos.depot import BRISK, open_depot
from tests.chaos.loads import Load
from tests.chaos.oracle import ended, judge
from tests.chaos.report import Report
from tests.fixtures.sink import Action, Behaviour, Offers, Step

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

SEED = 2_026
PATIENCE = 240.0
PLAN = len(BRISK.retry_plan) + 1
LATER = "450 4.2.1 Not now"
SOONER = 0.05

BEFORE_THE_MARK = Behaviour.refuse("rcpt", LATER).at_random(0.3, SEED)
AFTER_THE_BODY = Behaviour.refuse("dot", LATER).at_random(0.3, SEED)
GO_AHEAD = Behaviour(Step.DATA, Action.GO_AHEAD)

FATES = """
SELECT n.state, n.reason, d.state AS delivery, d.attempt, d.resends, array(
    SELECT a.event FROM delivery_attempts a WHERE a.delivery_id = d.id ORDER BY a.id) AS events
FROM notifications n JOIN deliveries d ON d.notification_id = n.id
WHERE n.id = ANY(%s) ORDER BY array_position(%s::uuid[], n.id)
"""


class Server(NamedTuple):
    """How a server behaves: what it offers, what it refuses, and delays that say nothing about a message.

    `to` are the recipients, in equal parts; at some of them it hangs up once, in the middle of what it was sent.
    """

    offers: Offers
    burst: Behaviour
    delays: tuple[Behaviour, ...] = ()
    to: tuple[str, ...] = ("ok",)


HANGS_UP = ("drop-rcpt-once", "drop-data-once")
LATE = tuple(Behaviour.hang(step, SOONER).at_random(0.2, SEED + 1) for step in ("rcpt", "data", "dot"))
SERVERS = {
    "refuses RCPT": Server(Offers(), BEFORE_THE_MARK),
    "refuses the body": Server(Offers(), AFTER_THE_BODY),
    "does not know PIPELINING": Server(Offers(pipelining=False), AFTER_THE_BODY),
    "says 354 after a refused RCPT": Server(Offers(), BEFORE_THE_MARK, (GO_AHEAD,)),
    "closes mid-pipeline": Server(Offers(), AFTER_THE_BODY, to=(*HANGS_UP, "ok", "ok")),
    "answers late": Server(Offers(), BEFORE_THE_MARK, LATE),
}


def refusals(address: str, burst: Behaviour) -> int:
    """How often in a row an address is refused, as far as the plan goes; a lost connection is a try, and no refusal."""
    first = int(address.startswith(HANGS_UP))
    return next((number for number in range(PLAN) if not burst.strikes(address, first + number)), PLAN)


@pytest.mark.parametrize("name", SERVERS)
async def test_a_burst_of_refusals_ends_by_the_plan(
    engine: Client, fresh_database_url: str, report: Report, name: str
) -> None:
    server = SERVERS[name]
    async with open_depot(engine, fresh_database_url, offers=server.offers) as depot:
        depot.sink.behave("*", server.burst, *server.delays)
        count = report.size(200, 2_000) // len(server.to)
        loads = [Load(depot.tenant.id, f"burst{number}", count, to=to) for number, to in enumerate(server.to)]
        ids = [one for load in loads for one in await depot.load(load)]
        addresses = [address for load in loads for address in load.addresses]
        await ended(depot, ids, PATIENCE)
        verdict = await judge(depot, ids)
        fates = await depot.rows(FATES, ids, ids)
        connections = depot.sink.connections
    expected = [refusals(address, server.burst) for address in addresses]
    refused = {times: expected.count(times) for times in range(PLAN + 1)}
    report.note(f"burst, a server that {name}", refused=refused, connections=connections)
    assert not verdict.faults
    for address, times, fate in zip(addresses, expected, fates, strict=True):
        assert_by_the_plan(address, times, fate)


def assert_by_the_plan(address: str, times: int, fate: Mapping[str, Any]) -> None:
    """Refused so often, then taken; or refused to the end of the plan."""
    events = [event for event in fate["events"] if event != "marked"]
    if times == PLAN:
        assert (fate["state"], fate["reason"], fate["delivery"]) == ("failed", "retries_exhausted", "rejected"), address
        assert events == [*["deferred"] * (PLAN - 1), "rejected"], address
    else:
        assert (fate["state"], fate["delivery"]) == ("sent", "accepted"), address
        assert events == [*["deferred"] * times, "accepted"], address
