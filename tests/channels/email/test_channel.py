"""Connections are few and reused; a provider that is away is left alone, and the next one carries the mail."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.channels.base import Parcel, Phase, Verdict
from postroom.channels.email import pool
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from tests.channels.email.conftest import DOMAIN, SHORT, Marker, Net, new_parcel, provider_at
from tests.channels.email.scripted import Act, Late, Then

BUSY = b"421 4.3.2 shutting down\r\n"
BUSY_LATER = Then(b"354 go\r\n", 0.05, BUSY)


async def test_connections_are_capped_and_reused(net: Net) -> None:
    server = await net.serve()
    channel = net.channel(server, connections=3)

    answers = await asyncio.gather(*(channel.hand_off(new_parcel(n), Marker()) for n in range(30)))

    assert {answer.verdict for answer in answers} == {Verdict.ACCEPTED}
    assert len(server.received) == 30
    assert server.connections == 3
    assert "RSET" not in server.verbs(), "a finished message needs no reset"


async def test_a_providers_own_cap_and_messages_per_connection(net: Net) -> None:
    server = await net.serve()
    channel = net.channel(provider_at(server.port, connections=1, per_connection=4))

    for number in range(9):
        await channel.hand_off(new_parcel(number), Marker())

    assert server.connections == 3
    assert server.verbs().count("QUIT") == 2


async def test_nobody_waits_for_a_connection_between_mark_and_body(net: Net) -> None:
    server = await net.serve(script={"BODY": [Late(0.2, b"250 ok\r\n")]})
    channel = net.channel(server, connections=1)
    first, second = Marker(), Marker()
    tasks = [asyncio.create_task(channel.hand_off(new_parcel(n), mark)) for n, mark in enumerate((first, second))]
    await asyncio.sleep(0.1)

    assert (len(first.asked), len(second.asked)) == (1, 0)
    await asyncio.gather(*tasks)


async def test_who_waits_is_served_in_order(net: Net) -> None:
    server = await net.serve()
    channel = net.channel(server, connections=1)
    served: list[int] = []

    async def one(number: int) -> None:
        await channel.hand_off(new_parcel(number), Marker())
        served.append(number)

    await asyncio.gather(*(one(number) for number in range(10)))

    assert served == list(range(10))


@pytest.mark.parametrize("ending", [Act.DROP, BUSY], ids=str)
async def test_a_connection_that_died_resting_is_not_the_messages_fault(net: Net, ending: Act | bytes) -> None:
    server = await net.serve()
    channel = net.channel(server)
    await channel.hand_off(new_parcel(1), Marker())
    server.push("MAIL", ending)  # the server's patience ends just as the next message begins

    answer = await channel.hand_off(new_parcel(2), Marker())

    assert answer.verdict is Verdict.ACCEPTED
    assert server.connections == 2


async def test_idle_connections_say_goodbye(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.1)
    server = await net.serve()
    channel = net.channel(server)
    await asyncio.gather(*(channel.hand_off(new_parcel(n), Marker()) for n in range(3)))
    assert server.open == 3

    await asyncio.sleep(0.25)

    assert server.open == 0
    assert server.verbs().count("QUIT") == 3


async def test_closing_lets_a_message_finish(net: Net, parcel: Parcel) -> None:
    server = await net.serve(script={"BODY": [Late(0.1, b"250 ok\r\n")]})
    channel = net.channel(server)
    task = asyncio.create_task(channel.hand_off(parcel, Marker()))
    await asyncio.sleep(0.05)

    await channel.close()

    assert (await task).verdict is Verdict.ACCEPTED
    await asyncio.sleep(0.02)
    assert server.open == 0


async def test_the_next_provider_carries_what_the_first_cannot(net: Net) -> None:
    away, here = await net.serve(script={"BANNER": [BUSY] * 9}), await net.serve()
    channel = net.channel(away, here)

    answers = [await channel.hand_off(new_parcel(n), Marker()) for n in range(5)]

    assert {(answer.verdict, answer.provider) for answer in answers} == {(Verdict.ACCEPTED, f"127.0.0.1:{here.port}")}
    assert away.connections == 1, "a provider that is away is not asked for every message"


async def test_a_refusal_of_the_message_is_not_carried_to_the_next_provider(net: Net) -> None:
    first, second = await net.serve(script={"RCPT": [b"550 5.1.1 no\r\n"]}), await net.serve()

    answer = await net.channel(first, second).hand_off(new_parcel(), Marker())

    assert answer.verdict is Verdict.REJECTED
    assert second.connections == 0


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
async def test_before_the_mark_the_next_provider_is_tried(net: Net, step: str) -> None:
    first, second, mark = await net.serve(script={step: [BUSY]}), await net.serve(), Marker()

    answer = await net.channel(first, second).hand_off(new_parcel(), mark)

    assert (answer.verdict, answer.provider) == (Verdict.ACCEPTED, f"127.0.0.1:{second.port}")
    assert [provider for _, provider in mark.asked] == [answer.provider]


async def test_after_the_mark_no_other_provider_is_tried(net: Net) -> None:
    first, second = await net.serve(script={"DATA": [BUSY_LATER]}), await net.serve()
    mark = Marker(after=lambda: asyncio.sleep(0.15))

    answer = await net.channel(first, second).hand_off(new_parcel(), mark)

    assert (answer.verdict, answer.phase, answer.reason) == (Verdict.UNAVAILABLE, Phase.MARK, "provider_busy")
    assert len(mark.asked) == 1
    assert (first.received, second.connections) == ([], 0)


async def test_after_the_body_no_other_provider_is_tried(net: Net) -> None:
    first, second, mark = await net.serve(script={"BODY": [Act.DROP]}), await net.serve(), Marker()

    answer = await net.channel(first, second).hand_off(new_parcel(), mark)

    assert answer.verdict is Verdict.UNKNOWN
    assert (len(mark.asked), second.connections) == (1, 0)


async def test_an_outage_after_the_mark_of_one_message_is_not_told_as_the_next_ones(net: Net) -> None:
    first, second = await net.serve(script={"DATA": [BUSY_LATER]}), await net.serve()
    channel = net.channel(first, second)
    await channel.hand_off(new_parcel(1), Marker(after=lambda: asyncio.sleep(0.15)))

    answer = await channel.hand_off(new_parcel(2), Marker())

    assert (answer.verdict, answer.provider) == (Verdict.ACCEPTED, f"127.0.0.1:{second.port}")


async def test_when_all_are_away_the_answer_says_when_to_come_back(net: Net) -> None:
    first = await net.serve(script={"BANNER": [BUSY] * 9})
    second = await net.serve(script={"BANNER": [b"554 closed\r\n"] * 9})
    channel = net.channel(first, second)

    answers = [await channel.hand_off(new_parcel(n), Marker()) for n in range(5)]

    assert {answer.verdict for answer in answers} == {Verdict.UNAVAILABLE}
    waits = [answer.retry_after for answer in answers]
    assert all(wait is not None and timedelta(0) < wait <= SHORT.outage_first for wait in waits)
    assert (first.connections, second.connections) == (1, 1)


async def test_the_wait_doubles_up_to_the_last(net: Net) -> None:
    server = await net.serve(script={"BANNER": [BUSY] * 9})
    channel = net.channel(server)
    waits = []

    for number in range(4):
        answer = await channel.hand_off(new_parcel(number), Marker())
        assert answer.retry_after is not None
        waits.append(round(answer.retry_after.total_seconds(), 1))
        await asyncio.sleep(answer.retry_after.total_seconds() + 0.01)

    assert waits == [0.2, 0.4, 0.5, 0.5]


async def test_a_providers_absence_and_return_are_one_line_each(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "postroom.channels.email.breaker")
    server = await net.serve(script={"BANNER": [BUSY] * 2})
    channel, name = net.channel(server), f"127.0.0.1:{server.port}"

    for number in range(3):
        answer = await channel.hand_off(new_parcel(number), Marker())
        await asyncio.sleep((answer.retry_after or timedelta(0)).total_seconds() + 0.02)

    away = f"{name} is away (provider_busy); one message at a time tries again"
    assert [record.message for record in caplog.records] == [away, f"{name} is back"]


async def test_only_one_message_probes(net: Net) -> None:
    server = await net.serve(script={"BANNER": [BUSY, Late(0.2, b"220 back\r\n")]})
    channel = net.channel(server)
    await channel.hand_off(new_parcel(0), Marker())
    await asyncio.sleep(SHORT.outage_first.total_seconds() + 0.02)

    answers = await asyncio.gather(*(channel.hand_off(new_parcel(n), Marker()) for n in range(1, 8)))

    verdicts = [answer.verdict for answer in answers]
    assert verdicts.count(Verdict.ACCEPTED) == 1
    assert verdicts.count(Verdict.UNAVAILABLE) == 6
    assert server.connections == 2
    assert (await channel.hand_off(new_parcel(9), Marker())).verdict is Verdict.ACCEPTED


async def test_a_probe_that_is_cancelled_leaves_the_way_open(net: Net) -> None:
    server = await net.serve(script={"BANNER": [BUSY, Act.HANG]})
    channel = net.channel(server)
    await channel.hand_off(new_parcel(0), Marker())
    await asyncio.sleep(SHORT.outage_first.total_seconds() + 0.02)
    probe = asyncio.create_task(channel.hand_off(new_parcel(1), Marker()))
    await asyncio.sleep(0.05)

    probe.cancel()

    with pytest.raises(asyncio.CancelledError):
        await probe
    assert (await channel.hand_off(new_parcel(2), Marker())).verdict is Verdict.ACCEPTED


async def test_who_waited_for_a_place_does_not_knock_at_a_closed_door(net: Net) -> None:
    server = await net.serve(script={"BANNER": [Late(0.1, BUSY)] * 9})
    channel = net.channel(server, connections=1)

    answers = await asyncio.gather(*(channel.hand_off(new_parcel(n), Marker()) for n in range(6)))

    assert {answer.verdict for answer in answers} == {Verdict.UNAVAILABLE}
    assert server.connections == 1


async def test_another_password_is_another_provider(net: Net) -> None:
    server = await net.serve(features=("AUTH PLAIN",), script={"AUTH": [b"535 5.7.8 wrong\r\n"]})
    in_use = [provider_at(server.port, username="ada", password="old")]

    async def providers_of(tenant_id: UUID) -> list[Provider]:
        return in_use

    channel = EmailChannel(providers_of, SHORT, EmailOptions(DOMAIN, 1))

    first = await channel.hand_off(new_parcel(1), Marker())
    in_use[:] = [replace(in_use[0], password="new")]
    second = await channel.hand_off(new_parcel(2), Marker())

    await channel.close()

    assert (first.reason, second.verdict) == ("provider_auth_failed", Verdict.ACCEPTED)


async def test_idle_providers_are_forgotten_and_others_are_not(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.channels.email.channel.REMEMBERED", 3)
    server, away = await net.serve(), await net.serve(script={"BANNER": [b"554 5.3.0 no\r\n"]})
    idle, resting, last = (provider_at(server.port, name=name) for name in ("idle", "resting", "last"))
    in_use = [replace(idle, per_connection=1)]

    async def providers_of(_: UUID) -> list[Provider]:
        return in_use

    channel = net.keep(EmailChannel(providers_of, SHORT, EmailOptions(DOMAIN, 1)))
    for number, one in enumerate([in_use[0], resting, provider_at(away.port, name="away"), last]):
        in_use[:] = [one]
        await channel.hand_off(new_parcel(number), Marker())

    assert [provider.name for provider in channel._routes] == ["resting", "away", "last"]  # noqa: SLF001 - what is kept


async def test_without_any_provider(net: Net, parcel: Parcel, mark: Marker) -> None:
    answer = await net.channel().hand_off(parcel, mark)

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "no_provider")
