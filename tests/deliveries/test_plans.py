"""What a pass locks and looks at is read by one index, before any statistics were gathered too."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from postroom.carriers.looking import READ_AND_PAY
from postroom.database.engine import Database
from postroom.deliveries.locking import CARRIED
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows

MEMBERS = 100

# A burst that nothing has counted yet: a hundred carriers of one tenant.
BURST = """
WITH made AS (
    INSERT INTO carriers (id, tenant_id, workflow_id, priority, channel, kind, size, wake_by)
    SELECT uuidv7(), tenant, 'page ' || number, 3, 'in_app', 'page', %s, now()
    FROM generate_series(1, 100) AS number, (SELECT %s::uuid AS tenant) AS one
    RETURNING id, tenant_id
)
INSERT INTO notifications (id, tenant_id, user_id, channel, channels, priority, class, due_at, expires_at,
                           fallback_after, carrier_id)
SELECT uuidv7(), tenant_id, 'ada', 'in_app', '{in_app}', 3, 'transactional', now(), now() + interval '1 day',
       interval '0', made.id
FROM made CROSS JOIN generate_series(1, %s)
"""


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def test_one_carrier_is_found_by_one_index_before_there_are_statistics(
    database: Database, tenants: Tenants
) -> None:
    await change(database, BURST, MEMBERS, tenants.alice.id, MEMBERS)
    [carrier] = await rows(database, "SELECT id FROM carriers WHERE workflow_id = 'page 7'")
    parameters = {"carrier_id": carrier["id"], "grace": Timing().watch_grace}
    for statement in (CARRIED, READ_AND_PAY):
        async with database.tenant_transaction(tenants.alice.id) as connection:
            found = await connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, parameters)
            [answer] = await found.fetchall()
        [explained] = answer["QUERY PLAN"]
        scans = [node for node in nodes(explained["Plan"]) if "Scan" in node["Node Type"]]
        read = {node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in scans}
        assert max(read) <= MEMBERS, json.dumps(explained)
