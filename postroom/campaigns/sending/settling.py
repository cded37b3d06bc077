"""Settles a page: lost hand-offs, expiry, cancellation; then when to look at it again, and its counts."""

from dataclasses import dataclass
from datetime import timedelta

from postroom.campaigns.sending.orders import Order
from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES
from postroom.database.engine import Connection
from postroom.database.wording import listed
from postroom.deliveries.reconciling import DOUBTFUL, LOSE_LAPSED, Doubt

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
LOSE = LOSE_LAPSED.format(which=PAGE)
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

DOUBTFUL_OF_PAGE = DOUBTFUL.format(which=f"deliveries d WHERE {PAGE}")

# Whatever is counted now: whoever counts this page at this moment has seen the rows as they were.
UNCOUNT = """
UPDATE task_pages SET counted = false WHERE task_id = %(task_id)s AND number = %(page)s
"""

# The page is locked before it is counted: whoever changed rows of it and has not said so yet waits here, and clears
# `counted` after this.
LOCK = "SELECT FROM task_pages WHERE task_id = %(task_id)s AND number = %(page)s FOR NO KEY UPDATE"

# Counts hold while nobody but a pass can change a row: all are final, or nobody has ever handed them off. Times that
# lie close together are looked at as one, the last of them, unless somebody would be over by then: a page in which
# hundreds were put off, each at its own instant, is passed over once for all of them.
WRITE = f"""
WITH found AS MATERIALIZED (
    SELECT d.state, d.state IN {FINAL} OR (d.token IS NULL AND d.attempt = 0) AS settled, d.expires_at,
           CASE WHEN d.state IN ('pending', 'deferred') THEN least(d.not_before, d.expires_at)
                WHEN d.state IN ('claimed', 'handing_off') THEN d.lease_until
                WHEN d.state IN ('unknown', 'held') THEN d.not_before END AS at,
           d.state IN ('pending', 'claimed', 'deferred') AS waits
    FROM deliveries d WHERE {PAGE}
), asking AS (
    SELECT *, CASE WHEN waits THEN expires_at ELSE at END AS asks_at FROM found
), firsts AS (
    SELECT min(at) AS at, min(asks_at) AS asks_at, min(expires_at) FILTER (WHERE waits) AS ends_at FROM asking
), untils AS MATERIALIZED ( -- found once, and not for each row
    SELECT CASE WHEN at > now() AND (ends_at > at + 2 * %(gather)s::interval) IS NOT FALSE
                THEN at + %(gather)s ELSE at END AS at,
           CASE WHEN asks_at > now() THEN asks_at + %(gather)s ELSE asks_at END AS asks_at
    FROM firsts
)
UPDATE task_pages p SET next_at = s.next_at, asks_at = s.asks_at, counts = s.counts, counted = s.settled
FROM (
    SELECT max(next_at) AS next_at, max(asks_at) AS asks_at,
           coalesce(jsonb_object_agg(state, count), '{{}}') AS counts, coalesce(bool_and(settled), true) AS settled
    FROM (
        SELECT a.state, count(*) AS count, bool_and(a.settled) AS settled,
               max(a.at) FILTER (WHERE a.at <= u.at) AS next_at,
               max(a.asks_at) FILTER (WHERE a.asks_at <= u.asks_at) AS asks_at
        FROM asking a, untils u GROUP BY a.state
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


async def settle_page(connection: Connection, order: Order, gather: timedelta) -> None:
    """Tidy a page and write down when to look again and how many are in which state.

    Whoever is due within `gather` of the first is waited for, and all of them go at once.
    """
    await tidy(connection, order)
    await connection.execute(LOCK, order.rows)
    await connection.execute(WRITE, order.rows | {"gather": gather})


async def doubts(connection: Connection, order: Order, limit: int) -> list[Doubt]:
    """The recipients of a page whose outcome is to be asked about now."""
    rows = await connection.execute(DOUBTFUL_OF_PAGE, order.rows | {"limit": limit})
    return [Doubt(**row) async for row in rows]
