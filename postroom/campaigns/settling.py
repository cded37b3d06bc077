"""Settles a page: lost hand-offs, expiry, cancellation; then when to look at it again, and its counts."""

from dataclasses import dataclass

from postroom.campaigns.orders import Order
from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES
from postroom.database.engine import Connection
from postroom.database.wording import listed
from postroom.deliveries.reconciling import Doubt

FINAL = listed(FINAL_DELIVERY_STATES)
PAGE = "d.task_id = %(task_id)s AND d.seq BETWEEN %(first)s AND %(last)s"

# Mostly nothing, and one question that locks nobody is cheaper than three statements that do.
SURVEY = f"""
SELECT coalesce(bool_or(d.state = 'handing_off' AND d.lease_until < now()), false) AS lapsed,
       coalesce(bool_or(d.state IN ('pending', 'claimed', 'deferred') AND d.expires_at <= now()), false) AS over,
       coalesce(bool_or(d.state IN ('pending', 'claimed', 'deferred')), false) AS waiting,
       coalesce(bool_or(d.state = 'handing_off' OR (d.state IN ('unknown', 'held') AND d.not_before <= now())), false)
           AS doubtful
FROM deliveries d WHERE {PAGE}
"""

# Each locks what it changes in the order of ids, as every group of marks and answers does.
LOSE = f"""
WITH locked AS MATERIALIZED (
    SELECT d.id FROM deliveries d WHERE {PAGE} AND d.state = 'handing_off' AND d.lease_until < now()
    ORDER BY d.id FOR NO KEY UPDATE
), lost AS (
    UPDATE deliveries d SET state = 'unknown', reason = 'no_answer', not_before = now()
    FROM locked l WHERE d.id = l.id
    RETURNING d.id, d.tenant_id, d.attempt, d.provider
)
INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, phase, detail)
SELECT id, tenant_id, attempt, 'unknown', provider, 'answer', 'the sender vanished after the mark' FROM lost
"""
ENDING = f"""
WITH locked AS MATERIALIZED (
    SELECT d.id FROM deliveries d WHERE {PAGE} AND d.state IN ('pending', 'claimed', 'deferred') AND {{which}}
    ORDER BY d.id FOR NO KEY UPDATE
)
UPDATE deliveries d SET state = '{{state}}', reason = '{{state}}', token = NULL, ended_at = now()
FROM locked l WHERE d.id = l.id
"""
EXPIRE = ENDING.format(which="d.expires_at <= now()", state="expired")
WITHDRAW = ENDING.format(which="true", state="cancelled")

# As with notifications: that the provider has it may be learned at once, anything else waits for the lease.
DOUBTFUL = f"""
SELECT d.id, d.notification_id, d.tenant_id, d.attempt, d.state, now() - d.marked_at AS silent_for,
       CASE WHEN NOT EXISTS (
           SELECT FROM delivery_attempts a
           WHERE a.delivery_id = d.id AND a.event = 'unknown' AND a.provider <> d.provider
       ) THEN d.provider END AS provider
FROM deliveries d
WHERE {PAGE} AND (d.state = 'handing_off' OR (d.state IN ('unknown', 'held') AND d.not_before <= now()))
ORDER BY d.id LIMIT %(limit)s
"""

# Whatever is counted now: whoever counts this page at this moment has seen the rows as they were.
UNCOUNT = """
UPDATE task_pages SET counted = false WHERE task_id = %(task_id)s AND number = %(page)s
"""

# The page is locked before it is counted: whoever changed rows of it and has not said so yet waits here, and clears
# `counted` after this.
LOCK = "SELECT FROM task_pages WHERE task_id = %(task_id)s AND number = %(page)s FOR NO KEY UPDATE"

# Counts hold while nobody but a pass can change a row: all are final, or nobody has ever handed them off.
WRITE = f"""
UPDATE task_pages p SET next_at = s.next_at, asks_at = s.asks_at, counts = s.counts, counted = s.settled
FROM (
    SELECT min(next_at) AS next_at, min(next_at) FILTER (WHERE state IN ('handing_off', 'unknown', 'held')) AS asks_at,
           coalesce(jsonb_object_agg(state, count), '{{}}') AS counts,
           coalesce(bool_and(settled), true) AS settled
    FROM (
        SELECT d.state, count(*) AS count,
               bool_and(d.state IN {FINAL} OR (d.token IS NULL AND d.attempt = 0)) AS settled,
               min(CASE WHEN d.state IN ('pending', 'deferred') THEN least(d.not_before, d.expires_at)
                        WHEN d.state IN ('claimed', 'handing_off') THEN d.lease_until
                        WHEN d.state IN ('unknown', 'held') THEN d.not_before END) AS next_at
        FROM deliveries d WHERE {PAGE} GROUP BY d.state
    ) states
) s
WHERE p.task_id = %(task_id)s AND p.number = %(page)s
"""


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to do in a page."""

    lapsed: bool
    over: bool
    waiting: bool
    doubtful: bool


async def tidy(connection: Connection, order: Order) -> Survey:
    """Bring the rows of a page as far as time and a cancellation allow; returns what was found."""
    [row] = await (await connection.execute(SURVEY, order.rows)).fetchall()
    survey = Survey(**row)
    if survey.lapsed:
        await connection.execute(LOSE, order.rows)
    if survey.over:
        await connection.execute(EXPIRE, order.rows)
    unwanted = survey.waiting and order.cancel_requested
    if unwanted:
        await connection.execute(WITHDRAW, order.rows)
    if survey.lapsed or survey.over or unwanted:
        await uncount(connection, order)
    return survey


async def uncount(connection: Connection, order: Order) -> None:
    """Have the rows of a page counted until it is settled; its deliveries are locked before."""
    await connection.execute(UNCOUNT, order.rows)


async def settle_page(connection: Connection, order: Order) -> None:
    """Tidy a page and write down when to look again and how many are in which state."""
    await tidy(connection, order)
    await connection.execute(LOCK, order.rows)
    await connection.execute(WRITE, order.rows)


async def doubts(connection: Connection, order: Order, limit: int) -> list[Doubt]:
    """The recipients of a page whose outcome is to be asked about now."""
    rows = await connection.execute(DOUBTFUL, order.rows | {"limit": limit})
    return [Doubt(**row) async for row in rows]
