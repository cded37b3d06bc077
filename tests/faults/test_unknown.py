"""A hand-off nobody answered and nobody can be asked about: the class decides, and the ledger says so."""

import pytest

from tests.faults.office import FAST, Office

ACCEPTED_UNSAID = "accept-drop"


@pytest.mark.parametrize("message_class", ["security", "transactional"])
async def test_it_goes_once_more_with_the_same_bytes(office: Office, message_class: str) -> None:
    tenant = await office.tenant(silent=True)
    one = await office.send(tenant, f"{ACCEPTED_UNSAID}-once", message_class=message_class)
    row = await office.ended(one)
    assert (row["state"], row["reason"], row["ambiguous"]) == ("sent", "accepted", True)
    first, second = await office.copies(one)
    assert first.sha256 == second.sha256
    assert (await office.delivery(one))["resends"] == 1


async def test_it_goes_never_more_than_once_more(office: Office) -> None:
    tenant = await office.tenant(silent=True)
    one = await office.send(tenant, ACCEPTED_UNSAID, message_class="security")
    row = await office.ended(one)
    assert (row["state"], row["reason"], row["ambiguous"]) == ("failed", "outcome_unknown", True)
    assert len(await office.copies(one)) == 2
    assert (await office.delivery(one))["resends"] == 1


async def test_marketing_is_held_and_fails_at_the_end_of_the_hold(office: Office) -> None:
    tenant = await office.tenant(silent=True)
    one = await office.send(tenant, ACCEPTED_UNSAID, message_class="marketing")
    held = await office.delivery_is(one, "held")
    row = await office.ended(one)
    assert (row["state"], row["reason"], row["ambiguous"]) == ("failed", "outcome_unknown", True)
    assert row["ended_at"] - held["marked_at"] >= FAST.hold
    assert len(await office.copies(one)) == 1


async def test_evidence_that_comes_during_the_hold_counts(office: Office) -> None:
    tenant = await office.tenant(silent=True)
    one = await office.send(tenant, ACCEPTED_UNSAID, message_class="marketing")
    await office.delivery_is(one, "held")
    office.mail.silent.discard(tenant.id)
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("sent", "evidence_found")
    assert len(await office.copies(one)) == 1


async def test_send_now_sends_a_held_one_again(office: Office) -> None:
    tenant = await office.tenant(silent=True)
    one = await office.send(tenant, f"{ACCEPTED_UNSAID}-once", message_class="marketing")
    await office.delivery_is(one, "held")
    assert await office.control.send_now(tenant.id, one) == "due"
    assert (await office.ended(one))["state"] == "sent"
    first, second = await office.copies(one)
    assert first.sha256 == second.sha256


async def test_absence_counts_only_when_the_old_connection_is_dead(office: Office) -> None:
    """Asked too early, the relay would say no of a message whose dot is still on its way."""
    one = await office.send(await office.tenant(), "drop-dot-once")
    await office.ended(one)
    marks = [attempt["at"] for attempt in await office.attempts(one) if attempt["event"] == "marked"]
    assert len(marks) == 2
    assert marks[1] - marks[0] >= FAST.absence_window
