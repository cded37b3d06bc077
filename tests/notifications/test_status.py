"""One table says what a tenant reads; showing and filtering never disagree."""

from dataclasses import dataclass

import pytest

from postroom.contracts.vocabulary import DeliveryState, NotificationState
from postroom.database.engine import Database
from postroom.identity import new_id
from postroom.notifications.reading import Reading
from postroom.notifications.record import Filters
from postroom.notifications.status import FINAL, Status
from tests.fixtures.database import Tenants


@dataclass(frozen=True, slots=True)
class Row:
    """A notification as it stands."""

    state: NotificationState = NotificationState.OPEN
    due_in: int = 0
    cancel_requested: bool = False
    deliveries: tuple[DeliveryState, ...] = ()
    attempt: int = 0
    wait: int = 0
    reason: str | None = None


INSERT = """
INSERT INTO notifications (id, tenant_id, channel, channels, priority, class, state, cancel_requested, due_at,
                           expires_at, fallback_after)
VALUES (%s, %s, 'email', '{email,in_app}', 3, 'transactional', %s, %s, now() + make_interval(secs => %s),
        now() + interval '1 day', '1 hour')
"""
DELIVERY = """
INSERT INTO deliveries (tenant_id, notification_id, position, channel, state, reason, attempt, not_before, expires_at)
VALUES (%s, %s, %s, 'email', %s, %s, %s, now() + make_interval(secs => %s), now() + interval '1 day')
"""

D = DeliveryState
CASES = [
    (Row(), Status.PENDING),
    (Row(due_in=60), Status.SCHEDULED),
    (Row(deliveries=(D.PENDING,)), Status.PENDING),
    (Row(deliveries=(D.CLAIMED,)), Status.SENDING),
    (Row(deliveries=(D.HANDING_OFF,)), Status.SENDING),
    (Row(deliveries=(D.DEFERRED,), attempt=1), Status.RETRYING),
    (Row(deliveries=(D.PENDING,), attempt=1, due_in=60), Status.RETRYING),
    (Row(deliveries=(D.PENDING,), wait=60), Status.RETRYING),
    (Row(deliveries=(D.PENDING,), due_in=60, wait=60), Status.SCHEDULED),
    (Row(deliveries=(D.PENDING,), wait=60, reason="quiet_hours"), Status.WAITING),
    (Row(deliveries=(D.PENDING,), attempt=1, due_in=60, wait=60, reason="frequency_cap"), Status.WAITING),
    (Row(deliveries=(D.PENDING,), reason="digest"), Status.PENDING),
    (Row(deliveries=(D.REJECTED, D.PENDING)), Status.PENDING),
    (Row(deliveries=(D.UNKNOWN,)), Status.UNKNOWN),
    (Row(deliveries=(D.HELD,)), Status.UNKNOWN),
    (Row(deliveries=(D.ACCEPTED, D.UNKNOWN)), Status.UNKNOWN),
    (Row(deliveries=(D.UNKNOWN, D.HANDING_OFF), cancel_requested=True), Status.CANCELLING),
    *(
        (Row(state=one, deliveries=(D.UNKNOWN,), cancel_requested=True), Status(one))
        for one in NotificationState
        if one != "open"
    ),
]


@pytest.mark.parametrize(("row", "status"), CASES)
async def test_what_is_shown_is_what_is_found(database: Database, tenants: Tenants, row: Row, status: Status) -> None:
    one, tenant_id = new_id(), tenants.alice.id
    async with database.tenant_transaction(tenant_id) as connection:
        await connection.execute(INSERT, (one, tenant_id, row.state, row.cancel_requested, row.due_in))
        for position, state in enumerate(row.deliveries):
            await connection.execute(DELIVERY, (tenant_id, one, position, state, row.reason, row.attempt, row.wait))
    reading = Reading(database)
    summary = await reading.summary(tenant_id, one)
    assert (summary.status, summary.reason) == (status, row.reason if status is Status.WAITING else None)
    found = {
        asked: [
            item.notification.id for item in (await reading.page(tenant_id, Filters(status=asked), (None, 10))).items
        ]
        for asked in Status
    }
    assert found == {asked: [one] if asked is status else [] for asked in Status}


def test_every_word_can_be_read() -> None:
    assert {status for _, status in CASES} == set(Status)
    assert {str(status) for status in FINAL} == {str(state) for state in NotificationState} - {"open"}
