"""Cursors continue exactly the list they came from; pages never skip and never repeat."""

from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as examples

from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.identity import new_id
from postroom.notifications.reading import Reading
from postroom.notifications.record import Filters
from postroom.paging import Cursors
from tests.fixtures.database import Tenants

INSERT = """
INSERT INTO notifications (id, tenant_id, user_id, channel, channels, priority, class, due_at, expires_at,
                           fallback_after)
SELECT id, %s, user_id, 'email', '{email}', 3, 'transactional', now(), now() + interval '1 day', '1 hour'
FROM unnest(%s::uuid[], %s::text[]) AS given (id, user_id)
"""


@given(strategies.uuids(), strategies.uuids(), strategies.text())
def test_a_cursor_is_read_where_it_was_written(tenant_id: UUID, after: UUID, question: str) -> None:
    cursors = Cursors(b"pepper")
    question = question.encode("utf-8", "replace").decode()
    text = cursors.write(tenant_id, question, after)
    assert text is not None
    assert cursors.read(tenant_id, question, text) == after
    for other in (Cursors(b"other").write(tenant_id, question, after), text[1:], text + "A", "", "*"):
        with pytest.raises(Invalid):
            cursors.read(tenant_id, question, other)
    with pytest.raises(Invalid):
        cursors.read(tenant_id, f"{question}?", text)


@examples(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=strategies.lists(strategies.sampled_from(["ada", "bob"]), max_size=25),
    limit=strategies.integers(1, 30),
    whose=strategies.sampled_from([None, "ada"]),
)
async def test_pages_hold_everything_once(  # noqa: PLR0913 - one fixture each
    database: Database, tenants: Tenants, people: list[str], limit: int, whose: str | None
) -> None:
    reading, filters = Reading(database), Filters(user_id=whose)
    async with database.tenant_transaction(tenants.alice.id) as connection:
        await connection.execute(INSERT, (tenants.alice.id, [new_id() for _ in people], people))
    whole = await reading.page(tenants.alice.id, filters, (None, 10_000))
    seen: list[UUID] = []
    after: UUID | None = None
    while True:
        page = await reading.page(tenants.alice.id, filters, (after, limit))
        seen += [item.notification.id for item in page.items]
        assert len(page.items) <= limit
        if (after := page.next_after) is None:
            break
    assert seen == [item.notification.id for item in whole.items] == sorted(seen, reverse=True)
