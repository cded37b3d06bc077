"""A task over servers that refuse, hang up, say nothing or ask for too much: everybody ends by the plan, once."""

from collections import Counter
from collections.abc import Mapping

import pytest
from temporalio.client import Client

from tests.chaos.accounts import account, over
from tests.chaos.depot import Depot, open_depot
from tests.chaos.report import Report
from tests.chaos.tasks import Crowd, Task, launch
from tests.fixtures.sink import Behaviour, Offers

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

SEED = 2_027
PATIENCE = 240.0
BURST = Behaviour.refuse("dot", "450 4.2.1 Not now").at_random(0.3, SEED)

SENT = {("accepted", "accepted")}
REFUSED = {("rejected", "mailbox_unknown")}
# What the sink does at a name, and how such a recipient ends; in a burst of refusals a plan may be used up for anybody.
KINDS: Mapping[str, set[tuple[str, str]]] = {
    "ok": SENT,
    "tempfail-rcpt-once": SENT,
    "tempfail-dot-once": SENT,
    "busy-data-once": SENT,
    "permfail": REFUSED,
    "refuse-354": REFUSED,
    "drop-rcpt-once": SENT,
    "drop-data-once": SENT,
    "garbage-rcpt-once": SENT,
    "drop-dot-once": SENT,  # nobody knows, and the relay says that it is not there
    "accept-drop-once": {("accepted", "evidence_found")},
    "accept-garbage-once": {("accepted", "evidence_found")},
}
USED_UP = ("rejected", "retries_exhausted")
SERVERS: Mapping[str, tuple[Offers, tuple[Behaviour, ...]]] = {
    "knows PIPELINING": (Offers(), ()),
    "does not, and refuses three in ten": (Offers(pipelining=False), (BURST,)),
}

FATES = """
SELECT split_part(k.addresses ->> 'email', '+', 1) AS kind, d.state, d.reason, d.resends
FROM deliveries d JOIN task_recipients r USING (task_id, seq)
    JOIN contacts k ON k.tenant_id = r.tenant_id AND k.user_id = r.user_id WHERE d.task_id = %s
"""


@pytest.mark.parametrize("server", SERVERS)
async def test_whatever_the_server_does_everybody_ends_once(
    engine: Client, fresh_database_url: str, report: Report, server: str
) -> None:
    offers, bursts = SERVERS[server]
    async with open_depot(engine, fresh_database_url, offers=offers) as depot:
        depot.sink.behave("*", *bursts)
        people = report.size(240, 6_000)
        task = await launch(fresh_database_url, Crowd(depot.tenant.id, "mixed", people, tuple(KINDS)))
        found = await judged(depot, task, report, f"task, a server that {server}")
    for kind, expected in KINDS.items():
        assert {end for known, end in found if known == kind} - ({USED_UP} if bursts else set()) == expected, kind


async def judged(depot: Depot, task: Task, report: Report, name: str) -> Counter[tuple[str, tuple[str, str]]]:
    """Wait for the end, have nothing lost or doubled, and return who ended how."""
    await over(depot, [task], PATIENCE)
    verdict = await account(depot, task)
    rows = await depot.rows(FATES, task.id)
    ends = Counter((row["state"], row["reason"]) for row in rows)
    told = {" ".join(end): count for end, count in sorted(ends.items())}
    report.note(name, people=len(rows), **told, unknown=len(verdict.unknown), **verdict.faults)
    assert not verdict.faults
    assert not sum(row["resends"] for row in rows)
    return Counter((row["kind"], (row["state"], row["reason"])) for row in rows)
