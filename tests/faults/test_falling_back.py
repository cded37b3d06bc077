"""The next channel has its turn after a definite failure or an exhausted time, never while an outcome is unknown."""

from datetime import timedelta
from typing import Any

import pytest

from postroom.contracts.vocabulary import ChannelKind
from tests.faults.office import PATIENCE, Office
from tests.fixtures.database import Tenant
from tests.fixtures.rows import deliveries
from tests.fixtures.waiting import until

BOTH = (ChannelKind.EMAIL, ChannelKind.IN_APP)


async def send_over_both(office: Office, tenant: Tenant, to: str, **more: Any) -> Any:
    return await office.send(tenant, to, channels=BOTH, **more)


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("permfail-rcpt", "mailbox_unknown"),
        ("permfail-data", "permanent_refusal"),
        ("permfail-dot", "permanent_refusal"),
        ("tempfail-dot", "retries_exhausted"),
    ],
)
async def test_a_definite_failure_gives_the_next_channel_its_turn(office: Office, to: str, reason: str) -> None:
    one = await send_over_both(office, await office.tenant(), to)
    row = await office.ended(one)
    assert (row["state"], row["channel"]) == ("sent", "in_app")
    assert [(d["state"], d["reason"]) for d in await deliveries(office.database, one)] == [
        ("rejected", reason),
        ("accepted", "accepted"),
    ]


async def test_an_exhausted_time_gives_the_next_channel_its_turn(office: Office) -> None:
    tenant = await office.tenant(refusing=True)
    one = await send_over_both(office, tenant, "ok", fallback=timedelta(seconds=1))
    assert (await office.ended(one))["state"] == "sent"
    assert [(d["state"], d["reason"]) for d in await deliveries(office.database, one)] == [
        ("expired", "channel_expired"),
        ("accepted", "accepted"),
    ]


async def test_a_first_channel_that_works_is_the_only_one(office: Office) -> None:
    one = await send_over_both(office, await office.tenant(), "ok")
    await office.ended(one)
    assert [d["channel"] for d in await deliveries(office.database, one)] == ["email"]


@pytest.mark.parametrize("message_class", ["security", "transactional", "marketing"])
async def test_an_unknown_outcome_never_does(office: Office, message_class: str) -> None:
    """Not while it is unknown, not when its channel's time is over, not at the end of the hold."""
    tenant = await office.tenant(silent=True)
    one = await send_over_both(
        office, tenant, "accept-drop", message_class=message_class, fallback=timedelta(seconds=0.5)
    )
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("failed", "outcome_unknown")
    assert [(d["channel"], d["state"]) for d in await deliveries(office.database, one)] == [("email", "failed")]


async def test_an_unknown_outcome_that_turns_out_sent_does_not_either(office: Office) -> None:
    one = await send_over_both(office, await office.tenant(), "accept-drop", fallback=timedelta(seconds=0.5))
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("sent", "evidence_found")
    assert [d["channel"] for d in await deliveries(office.database, one)] == ["email"]


async def test_absence_past_the_channels_time_gives_the_next_one_its_turn(office: Office) -> None:
    """Once the relay has said that it has it not, the failure is definite."""
    one = await send_over_both(office, await office.tenant(), "drop-dot", fallback=timedelta(seconds=0.3))
    row = await office.ended(one)
    assert (row["state"], row["channel"]) == ("sent", "in_app")
    assert [(d["channel"], d["state"]) for d in await deliveries(office.database, one)] == [
        ("email", "expired"),
        ("in_app", "accepted"),
    ]
    assert await office.copies(one) == []


async def test_all_channels_at_once_wait_for_each_other(office: Office) -> None:
    tenant = await office.tenant(silent=True)
    one = await send_over_both(office, tenant, "accept-drop-once", strategy="all")

    async def inbox_has_it() -> bool:
        return any(d["state"] == "accepted" for d in await deliveries(office.database, one))

    await until(inbox_has_it, PATIENCE)
    assert (await office.ended(one))["state"] == "sent"
    assert {d["state"] for d in await deliveries(office.database, one)} == {"accepted"}
