"""Cancel in every phase: after `cancelled` no body leaves, after `cancelling` nothing new begins."""

from datetime import UTC, datetime, timedelta

import pytest

from postroom.errors import Conflict
from tests.faults.office import Office, address_of


async def test_before_its_time(office: Office) -> None:
    tenant = await office.tenant()
    one = await office.send(tenant, "ok", delay=timedelta(hours=1))
    assert await office.control.cancel(tenant.id, one) == "cancelled"
    assert (await office.ended(one))["state"] == "cancelled"


@pytest.mark.parametrize("stop", ["rcpt", "data"])
async def test_in_the_envelope_no_body_leaves_any_more(office: Office, stop: str) -> None:
    """The claim is revoked while the server thinks about the envelope; its yes comes too late."""
    tenant = await office.tenant()
    office.sink.hold(stop, address_of(tenant, "ok"))
    one = await office.send(tenant, "ok")
    await office.sink.held(stop)
    assert await office.control.cancel(tenant.id, one) == "cancelled"
    office.sink.release(stop)
    assert (await office.ended(one))["reason"] == "cancelled"
    # Another message over the same provider proves that the conversation of the first is over.
    other = await office.send(tenant, "ok", user_id="grace")
    assert (await office.ended(other))["state"] == "sent"
    assert await office.copies(one) == []
    assert await office.attempts(one) == []


@pytest.mark.parametrize("stop", ["354", "dot", "250"])
async def test_past_the_mark_it_is_too_late(office: Office, stop: str) -> None:
    tenant = await office.tenant()
    office.sink.hold(stop, address_of(tenant, "ok"))
    one = await office.send(tenant, "ok")
    await office.sink.held(stop)
    await office.delivery_is(one, "handing_off")  # after 354 comes the mark, while the sink stands still
    assert await office.control.cancel(tenant.id, one) == "cancelling"
    with pytest.raises(Conflict) as refused:
        await office.control.reschedule(tenant.id, one, datetime.now(UTC) + timedelta(minutes=1))
    assert refused.value.code == "in_flight"
    office.sink.release(stop)
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("sent", "accepted")
    assert len(await office.copies(one)) == 1


@pytest.mark.parametrize("to", ["tempfail-dot", "permfail-dot"])
async def test_past_the_mark_and_refused_it_ends_cancelled(office: Office, to: str) -> None:
    tenant = await office.tenant()
    office.sink.hold("dot", address_of(tenant, to))
    one = await office.send(tenant, to)
    await office.sink.held("dot")
    assert await office.control.cancel(tenant.id, one) == "cancelling"
    office.sink.release("dot")
    assert (await office.ended(one))["state"] == "cancelled"
    assert await office.copies(one) == []


@pytest.mark.parametrize(
    ("to", "end"), [("accept-drop", ("sent", "evidence_found", 1)), ("drop-dot", ("cancelled", "cancelled", 0))]
)
async def test_past_the_mark_and_unknown_the_relay_decides(office: Office, to: str, end: tuple[str, str, int]) -> None:
    tenant = await office.tenant()
    office.sink.hold("dot", address_of(tenant, to))
    one = await office.send(tenant, to)
    await office.sink.held("dot")
    assert await office.control.cancel(tenant.id, one) == "cancelling"
    office.sink.release("dot")
    row = await office.ended(one)
    assert (row["state"], row["reason"], len(await office.copies(one))) == end


async def test_past_the_mark_and_unknown_for_ever_it_says_so(office: Office) -> None:
    tenant = await office.tenant(silent=True)
    office.sink.hold("dot", address_of(tenant, "accept-drop"))
    one = await office.send(tenant, "accept-drop", message_class="security")
    await office.sink.held("dot")
    assert await office.control.cancel(tenant.id, one) == "cancelling"
    office.sink.release("dot")
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("failed", "outcome_unknown")
    assert len(await office.copies(one)) == 1
