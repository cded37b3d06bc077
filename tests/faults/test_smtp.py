"""Every SMTP fault ends in the state it should, for the right reason, with one copy at most."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.faults.office import Office, address_of
from tests.fixtures.rows import rows
from tests.fixtures.sink import Action, Behaviour, Step


@dataclass(frozen=True, slots=True)
class Fault:
    """A recipient the sink misbehaves for, and what must become of its message.

    `marks` is how often its body was about to be sent; `events` are what else the ledger must tell, in order.
    """

    to: str
    state: str
    reason: str
    copies: int
    marks: int
    events: tuple[str, ...]


SENT = ("sent", "accepted", 1)
FOUND = ("sent", "evidence_found", 1)

FAULTS = (
    Fault("ok", *SENT, 1, ("accepted",)),
    # Refused for now, and taken the second time.
    Fault("tempfail-rcpt-once", *SENT, 1, ("deferred", "accepted")),
    Fault("tempfail-data-once", *SENT, 1, ("deferred", "accepted")),
    Fault("tempfail-dot-once", *SENT, 2, ("deferred", "accepted")),
    Fault("busy-dot-once", *SENT, 2, ("deferred", "accepted")),
    # Refused for ever.
    Fault("permfail-rcpt", "failed", "mailbox_unknown", 0, 0, ("rejected",)),
    Fault("mailbox-full", "failed", "mailbox_full", 0, 0, ("rejected",)),
    Fault("policy", "failed", "policy_refusal", 0, 0, ("rejected",)),
    Fault("refuse-354", "failed", "mailbox_unknown", 0, 0, ("rejected",)),
    Fault("permfail-data", "failed", "permanent_refusal", 0, 0, ("rejected",)),
    Fault("permfail-dot", "failed", "permanent_refusal", 0, 1, ("rejected",)),
    Fault("too-large", "failed", "message_too_large", 0, 1, ("rejected",)),
    # A provider that is busy, silent or babbling before the body: no attempt of the message's own.
    Fault("busy-rcpt-once", *SENT, 1, ("accepted",)),
    Fault("busy-data-once", *SENT, 1, ("accepted",)),
    Fault("drop-rcpt-once", *SENT, 1, ("accepted",)),
    Fault("drop-data-once", *SENT, 1, ("accepted",)),
    Fault("hang-rcpt-once", *SENT, 1, ("accepted",)),
    Fault("hang-data-once", *SENT, 1, ("accepted",)),
    Fault("garbage-rcpt-once", *SENT, 1, ("accepted",)),
    Fault("garbage-data-once", *SENT, 1, ("accepted",)),
    # Nobody knows, until the relay is asked: it has it not, so it goes again.
    Fault("drop-body-once", *SENT, 2, ("unknown", "evidence", "accepted")),
    Fault("drop-dot-once", *SENT, 2, ("unknown", "evidence", "accepted")),
    Fault("garbage-dot-once", *SENT, 2, ("unknown", "evidence", "accepted")),
    Fault("hang-dot-once", *SENT, 2, ("unknown", "evidence", "accepted")),
    # Nobody knows, until the relay is asked: it has it.
    Fault("accept-drop", *FOUND, 1, ("unknown", "evidence")),
    Fault("accept-garbage", *FOUND, 1, ("unknown", "evidence")),
    Fault("late-250-4s", *FOUND, 1, ("unknown", "evidence")),
)


@pytest.fixture(scope="module", params=[False, True], ids=["pipelined", "step by step"])
async def outcomes(office: Office, request: pytest.FixtureRequest) -> Mapping[str, Fault]:
    """What became of one message per fault, all sent side by side, over either way to speak SMTP."""

    async def outcome(fault: Fault) -> Fault:
        one = await office.send(await office.tenant(plain=request.param), fault.to)
        row = await office.ended(one)
        events = [attempt["event"] for attempt in await office.attempts(one)]
        others = tuple(_without_repeats([event for event in events if event != "marked"]))
        copies = await office.copies(one)
        return Fault(fault.to, row["state"], row["reason"], len(copies), events.count("marked"), others)

    found = await asyncio.gather(*(outcome(fault) for fault in FAULTS))
    return {fault.to: fault for fault in found}


def _without_repeats(events: list[str]) -> list[str]:
    """The relay may be asked more than once before it counts."""
    return [event for at, event in enumerate(events) if at == 0 or events[at - 1] != event]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.to for fault in FAULTS])
async def test_fault(outcomes: Mapping[str, Fault], fault: Fault) -> None:
    assert outcomes[fault.to] == fault


async def test_a_refused_sender_is_definite(office: Office) -> None:
    tenant = await office.tenant()
    office.sink.behave("no-reply@", Behaviour.refuse("mail", "550 5.7.1 Not you"))
    try:
        one = await office.send(tenant, "ok")
        row = await office.ended(one)
    finally:
        office.sink.behave("no-reply@")
    assert (row["state"], row["reason"]) == ("failed", "policy_refusal")
    assert await office.copies(one) == []


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(Step.BANNER, Action.REPLY, "421 4.3.2 Busy", times=2),
        Behaviour(Step.BANNER, Action.DROP, times=2),
        Behaviour(Step.BANNER, Action.GARBAGE, times=2),
        Behaviour(Step.EHLO, Action.REPLY, "421 4.3.2 Busy", times=1),
    ],
    ids=["busy", "dropped", "babbling", "busy after EHLO"],
)
async def test_a_provider_that_is_no_help_at_first_costs_no_attempt(office: Office, behaviour: Behaviour) -> None:
    tenant = await office.tenant()
    office.sink.behave("*", behaviour)
    try:
        one = await office.send(tenant, "ok")
        row = await office.ended(one)
    finally:
        office.sink.behave("*")
    assert (row["state"], len(await office.copies(one))) == ("sent", 1)
    assert [attempt["event"] for attempt in await office.attempts(one)] == ["marked", "accepted"]
    assert await outages(office, one) != []


async def test_a_provider_that_refuses_every_connection_ends_with_the_time_to_live(office: Office) -> None:
    tenant = await office.tenant(refusing=True)
    one = await office.send(tenant, "ok", life=timedelta(seconds=1.5))
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("expired", "expired")
    assert set(await outages(office, one)) == {"provider_unreachable"}
    assert await office.attempts(one) == []


async def test_it_goes_when_the_provider_listens_again(office: Office) -> None:
    tenant = await office.tenant(refusing=True)
    one = await office.send(tenant, "ok")
    await office.delivery_is(one, "pending")
    office.refusing.discard(tenant.id)
    assert (await office.ended(one))["state"] == "sent"
    assert [copy.to for copy in await office.copies(one)] == [address_of(tenant, "ok")]


async def outages(office: Office, one: object) -> list[str]:
    """The reasons of the outages a notification waited for."""
    statement = "SELECT reason FROM notification_events WHERE notification_id = %s AND kind = 'provider_outage'"
    return [row["reason"] for row in await rows(office.database, statement, one)]
