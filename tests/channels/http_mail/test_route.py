"""What a vendor says and does, over real sockets: marked before the first byte, judged by one table."""

import asyncio
import json
from collections.abc import Sized
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.channels.base import Enclosure, Phase, Verdict
from postroom.channels.http_mail.route import HttpMailRoute
from postroom.egress.client import EgressClient
from tests.channels.email.conftest import Marker, new_parcel, waiting
from tests.channels.http_mail.conftest import PATIENCE, TIMING, account, letter, route
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.waiting import until

TAKEN = b'{"result": true, "statusCode": 200, "message": "ok", "info": {"emailIdList": ["17@batch"]}}'


def said(code: int, status: int = 200) -> Reaction:
    words = {"result": False, "statusCode": code, "message": "no: ada@example.com s3cret", "info": {}}
    return Reaction(status, body=json.dumps(words).encode())


async def there(things: Sized) -> int:
    return len(things)


async def test_the_mark_comes_before_the_first_byte(vendor: Receiver, client: EgressClient) -> None:
    vendor.react("/send", Reaction(body=TAKEN))

    async def nothing_yet() -> None:
        assert vendor.received == []

    mark, mail = Marker(after=nothing_yet), letter()
    answer = await route(vendor, client).take(mail, mark)
    assert (answer.verdict, answer.reason, answer.provider) == (Verdict.ACCEPTED, "accepted", "svc_1")
    assert answer.detail == "message id <address>"
    assert mark.asked == [(mail.message, "svc_1")]
    assert len(vendor.received) == 1


async def test_a_refused_mark_sends_nothing(vendor: Receiver, client: EgressClient) -> None:
    answer = await route(vendor, client).take(letter(), Marker(verdict=False))
    assert (answer.verdict, answer.phase) == (Verdict.WITHDRAWN, Phase.MARK)
    assert vendor.received == []


@pytest.mark.parametrize(
    ("reaction", "meaning"),
    [
        (said(40005), (Verdict.UNAVAILABLE, "provider_auth_failed")),
        (said(40904), (Verdict.UNAVAILABLE, "provider_limit")),
        (said(40806), (Verdict.REJECTED, "mailbox_unknown")),
        (said(40802), (Verdict.REJECTED, "sender_refused")),
        (said(40908), (Verdict.REJECTED, "policy_refusal")),
        (said(40901), (Verdict.DEFERRED, "temporary_refusal")),
        (said(40902), (Verdict.UNKNOWN, "outcome_unknown")),
        (said(49999), (Verdict.DEFERRED, "temporary_refusal")),
        (Reaction(body=b'{"result": true, "statusCode": 49999}'), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(body=b'{"statusCode": 49999}'), (Verdict.UNKNOWN, "outcome_unknown")),
        (said(40806, status=400), (Verdict.REJECTED, "mailbox_unknown")),
        (Reaction(body=b"<html>"), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(body=b'{"statusCode": []}'), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(400, body=b'{"statusCode": {}}'), (Verdict.REJECTED, "permanent_refusal")),
        (Reaction(401), (Verdict.UNAVAILABLE, "provider_auth_failed")),
        (Reaction(404), (Verdict.UNAVAILABLE, "protocol_error")),
        (Reaction(302, [("Location", "https://else.example")]), (Verdict.UNAVAILABLE, "protocol_error")),
        (Reaction(303, [("Location", "/mails/17")]), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(413), (Verdict.REJECTED, "message_too_large")),
        (Reaction(422), (Verdict.REJECTED, "permanent_refusal")),
        (Reaction(429), (Verdict.UNAVAILABLE, "provider_busy")),
        (Reaction(500), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(502), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(503), (Verdict.UNAVAILABLE, "provider_busy")),
        (Reaction(wait=0.6, body=TAKEN), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(hang_up=True), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(raw=b"220 smtp.example.com ESMTP\r\n"), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(body=TAKEN, drip=0.2), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(422, body=TAKEN, drip=0.2), (Verdict.REJECTED, "permanent_refusal")),
        (Reaction(body=TAKEN[:-1] + b" " * 10_000_000 + b"}"), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(body=b"[" * 4_000), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(body=b'{"statusCode": ' + b"9" * 4_500), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(body=b'{"statusCode": true}'), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(raw=b"HTTP/1.1 102 Processing\r\n\r\n" * 20_000), (Verdict.UNKNOWN, "outcome_unknown")),
        (Reaction(raw=b"HTTP/1.1 999 Who Knows\r\nContent-Length: 0\r\n\r\n"), (Verdict.UNAVAILABLE, "protocol_error")),
    ],
    ids=str,
)
async def test_what_an_answer_means(
    vendor: Receiver, client: EgressClient, reaction: Reaction, meaning: tuple[Verdict, str]
) -> None:
    vendor.react("/send", reaction)
    answer = await route(vendor, client).take(letter(), Marker())
    assert ((answer.verdict, answer.reason), answer.phase) == (meaning, Phase.ANSWER)
    assert "s3cret" not in (answer.detail or "")
    assert "ada@" not in (answer.detail or "")


@pytest.mark.parametrize("kind", ["aurora", "generic"])
async def test_a_vendor_that_repeats_what_it_was_told_gives_no_secret_away(
    vendor: Receiver, client: EgressClient, kind: str
) -> None:
    way = HttpMailRoute(replace(account(vendor, kind), secret='p"w/+ä'), client, TIMING)
    vendor.react("/send", Reaction(503, body=b"first, to see the request"))
    await way.take(letter(), Marker())
    [asked] = vendor.received
    echo = asked.headers.get("authorization", "").encode() + b" " + asked.body[:200] + b' {"key": "p\\"w/+\\u00e4"}'
    vendor.react("/send", Reaction(422, body=echo))
    await asyncio.sleep(0.1)  # as long as it is left alone
    told = (await way.take(letter(), Marker())).detail or ""
    assert "<secret>" in told
    assert not any(
        form in told for form in ('p"w', "p%22w", 'p\\"w', asked.headers.get("authorization", "Basic none")[6:])
    )


async def test_a_wait_that_the_vendor_asks_for_is_told(vendor: Receiver, client: EgressClient) -> None:
    vendor.react("/send", Reaction(429, [("Retry-After", "120")]))
    assert (await route(vendor, client).take(letter(), Marker())).retry_after == timedelta(minutes=2)


@pytest.mark.parametrize("kind", ["aurora", "generic"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_nobody_is_sent_elsewhere(vendor: Receiver, client: EgressClient, kind: str, status: int) -> None:
    vendor.react("/send", Reaction(status, [("Location", vendor.url("/elsewhere"))]))
    answer = await route(vendor, client, kind).take(letter(), Marker())
    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "protocol_error")
    assert [one.path for one in vendor.received] == ["/send"]


@pytest.mark.parametrize(
    "asked",
    ["soon", "-5", "1e9", "9" * 400, "\xff", "Thu, 99 Foo 2026", "0", "999999999", "Fri, 31 Dec 9999 23:59:59 GMT"],
)
async def test_a_wait_that_makes_no_sense_is_none(vendor: Receiver, client: EgressClient, asked: str) -> None:
    raw = f"HTTP/1.1 503 Busy\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    vendor.react("/send", Reaction(raw=raw))
    answer = await route(vendor, client).take(letter(), Marker())
    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "provider_busy")
    assert answer.retry_after is None or timedelta(0) <= answer.retry_after <= timedelta(days=1)


async def test_an_account_that_is_not_known_is_left_alone_for_a_while(vendor: Receiver, client: EgressClient) -> None:
    vendor.react("/send", said(40005))
    way, mark = route(vendor, client), Marker()
    await way.take(letter(), mark)
    again = await way.take(letter(), mark)
    assert (again.verdict, again.phase, again.reason) == (Verdict.UNAVAILABLE, Phase.CONNECT, "provider_auth_failed")
    assert (len(vendor.received), len(mark.asked)) == (1, 1)


async def test_nobody_there_is_nothing_about_the_message(vendor: Receiver, client: EgressClient) -> None:
    way, mark = route(vendor, client), Marker()
    await vendor.fall()
    answer = await way.take(letter(), mark)
    assert (answer.verdict, answer.phase, answer.reason) == (
        Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable",
    )  # fmt: skip
    assert mark.asked == []


async def test_a_private_network_is_out_of_reach(vendor: Receiver) -> None:
    guarded = EgressClient(PATIENCE, public_only=True)
    answer = await route(vendor, guarded).take(letter(), Marker())
    await guarded.close()
    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "blocked_destination")
    assert vendor.received == []


async def test_cancelled_after_the_mark_it_waits_for_the_answer(vendor: Receiver, client: EgressClient) -> None:
    vendor.react("/send", Reaction(body=TAKEN, wait=0.15))
    posting = asyncio.create_task(route(vendor, client).take(letter(), Marker()))
    await until(lambda: there(vendor.received), 30)
    posting.cancel()
    assert (await posting).verdict is Verdict.ACCEPTED


async def test_cancelled_before_the_mark_nothing_is_sent(vendor: Receiver, client: EgressClient) -> None:
    held = asyncio.Event()
    mark = Marker(after=waiting(held))
    posting = asyncio.create_task(route(vendor, client).take(letter(), mark))
    await until(lambda: there(mark.asked), 30)
    posting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await posting
    assert vendor.received == []


async def test_a_vendor_that_knows_a_second_copy_is_told_the_name(vendor: Receiver, client: EgressClient) -> None:
    vendor.react("/send", Reaction(202, body=b'{"id": "m-1"}'))
    way = route(vendor, client, "generic")
    for _ in range(2):
        assert (await way.take(letter(), Marker())).detail == "message id m-1"
    names = [one.headers["idempotency-key"] for one in vendor.received]
    assert len(set(names)) == 1
    assert names[0].startswith("<")
    assert vendor.received[0].body == vendor.received[1].body


async def test_an_attachment_is_refused_before_anything(vendor: Receiver, client: EgressClient) -> None:
    parcel = new_parcel(enclosures=(Enclosure("a.pdf", "application/pdf", b"x"),))
    mark = Marker()
    answer = await route(vendor, client).take(letter(parcel), mark)
    assert (answer.verdict, answer.reason, mark.asked) == (Verdict.REJECTED, "attachments_unsupported", [])


def test_a_secret_is_not_shown(vendor: Receiver) -> None:
    assert "s3cret" not in repr(account(vendor))
