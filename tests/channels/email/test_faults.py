"""Every failure at every step of a conversation means exactly one thing."""

import asyncio
from typing import NamedTuple

import pytest

from postroom.channels.base import Phase, Verdict
from postroom.identity import message_id
from tests.channels.email.conftest import DOMAIN, SHORT, Marker, Net, new_parcel
from tests.channels.email.scripted import FEATURES, PLAIN_FEATURES, Act, Move

both_ways = pytest.mark.parametrize("features", [FEATURES, PLAIN_FEATURES], ids=["pipelined", "step by step"])


class Fault(NamedTuple):
    """What the server does at one step, and what it means."""

    step: str
    move: Move
    verdict: Verdict
    reason: str


BUSY = b"421 4.3.2 shutting down\r\n"
GARBAGE = b"what do you want?\r\n"
UNKNOWN = (Verdict.UNKNOWN, "outcome_unknown")
GONE = (Verdict.UNAVAILABLE, "provider_unreachable")
NONSENSE = (Verdict.UNAVAILABLE, "protocol_error")

FAULTS = [
    Fault("MAIL", b"451 4.3.0 later\r\n", Verdict.DEFERRED, "temporary_refusal"),
    Fault("MAIL", b"550 5.7.1 sender not welcome\r\n", Verdict.REJECTED, "policy_refusal"),
    Fault("MAIL", b"550 5.1.1 odd\r\n", Verdict.REJECTED, "permanent_refusal"),
    Fault("MAIL", b"552 too big\r\n", Verdict.REJECTED, "message_too_large"),
    Fault("MAIL", b"530 5.7.0 sign in first\r\n", Verdict.UNAVAILABLE, "provider_auth_failed"),
    Fault("MAIL", b"354 go ahead\r\n", *NONSENSE),
    Fault("RCPT", b"450 4.2.2 full for now\r\n", Verdict.DEFERRED, "mailbox_full"),
    Fault("RCPT", b"550 5.1.1 no such user\r\n", Verdict.REJECTED, "mailbox_unknown"),
    Fault("RCPT", b"552 5.2.2 full\r\n", Verdict.REJECTED, "mailbox_full"),
    Fault("RCPT", b"552 storage exceeded\r\n", Verdict.REJECTED, "mailbox_full"),
    Fault("RCPT", b"550 no\r\n", Verdict.REJECTED, "permanent_refusal"),
    Fault("RCPT", b"553 5.6.7 no utf8\r\n", Verdict.REJECTED, "smtputf8_unsupported"),
    Fault("DATA", b"451 4.3.0 later\r\n", Verdict.DEFERRED, "temporary_refusal"),
    Fault("DATA", b"554 5.7.1 no\r\n", Verdict.REJECTED, "policy_refusal"),
    Fault("DATA", b"250 fine\r\n", *NONSENSE),
    Fault("BODY", b"451 4.3.0 later\r\n", Verdict.DEFERRED, "temporary_refusal"),
    Fault("BODY", b"452 4.2.2 full\r\n", Verdict.DEFERRED, "mailbox_full"),
    Fault("BODY", BUSY, Verdict.DEFERRED, "provider_busy"),
    Fault("BODY", b"554 5.7.26 unauthenticated\r\n", Verdict.REJECTED, "policy_refusal"),
    Fault("BODY", b"552 5.3.4 too big\r\n", Verdict.REJECTED, "message_too_large"),
    Fault("BODY", b"354 more?\r\n", *UNKNOWN),
    Fault("BODY", GARBAGE, *UNKNOWN),
    Fault("BODY", b"25", *UNKNOWN),
    Fault("BODY", Act.DROP, *UNKNOWN),
    Fault("BODY", Act.HANG, *UNKNOWN),
    *[Fault(step, BUSY, Verdict.UNAVAILABLE, "provider_busy") for step in ("MAIL", "RCPT", "DATA")],
    *[Fault(step, GARBAGE, *NONSENSE) for step in ("MAIL", "RCPT", "DATA")],
    *[Fault(step, act, *GONE) for step in ("MAIL", "RCPT", "DATA") for act in Act],
]
PHASES = {"MAIL": Phase.ENVELOPE, "RCPT": Phase.ENVELOPE, "DATA": Phase.DATA, "BODY": Phase.ANSWER}


@both_ways
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.step} {fault.move!r}")
async def test_a_fault_means_one_thing(net: Net, features: tuple[str, ...], fault: Fault) -> None:
    server, mark = await net.serve(script={fault.step: [fault.move]}, features=features), Marker()

    answer = await net.channel(server).hand_off(new_parcel(), mark)

    assert (answer.verdict, answer.reason) == (fault.verdict, fault.reason)
    assert answer.phase is PHASES[fault.step]
    assert answer.provider == f"127.0.0.1:{server.port}"
    assert len(mark.asked) == (fault.step == "BODY"), "before 354 there is nothing to mark"
    assert len(server.received) == (fault.step == "BODY")
    assert (answer.retry_after is not None) == (answer.verdict is Verdict.UNAVAILABLE)


@both_ways
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.step} {fault.move!r}")
async def test_after_a_fault_the_next_message_is_not_harmed(net: Net, features: tuple[str, ...], fault: Fault) -> None:
    server = await net.serve(script={fault.step: [fault.move]}, features=features)
    channel = net.channel(server)
    await channel.hand_off(new_parcel(1), Marker())
    if fault.verdict is Verdict.UNAVAILABLE:
        await asyncio.sleep(SHORT.outage_first.total_seconds() + 0.05)

    answer = await channel.hand_off(new_parcel(2), Marker())

    assert answer.verdict is Verdict.ACCEPTED
    assert message_id(new_parcel(2).delivery_id, DOMAIN).encode() in server.received[-1].body
    assert len(server.received[-1].recipients) == 1
    definite = fault.verdict in {Verdict.DEFERRED, Verdict.REJECTED}
    assert server.connections == (1 if definite else 2), "only a clear answer leaves a connection usable"
