"""How connections are opened: what the provider may be blamed for, and where credentials go."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from postroom.channels.base import Enclosure, Parcel, Phase, Verdict
from postroom.channels.email import connection
from postroom.channels.email.presets import Security
from tests.channels.email.conftest import SHORT, Certificates, Marker, Net, new_parcel, provider_at
from tests.channels.email.scripted import FEATURES, Act, Move, Scripted

PASSWORD = "s3cret pass"
SIGNED_IN = {"username": "ada", "password": PASSWORD}


def secrets_in(server: Scripted) -> list[bytes]:
    """Lines that hold the password, plain or in base64 as AUTH PLAIN and LOGIN spell it."""
    plain = base64.b64encode(f"\0ada\0{PASSWORD}".encode())
    spelt = (PASSWORD.encode(), plain, base64.b64encode(PASSWORD.encode()))
    return [line for line in server.lines if any(word in line for word in spelt)]


@pytest.mark.parametrize(
    ("step", "move", "reason"),
    [
        ("BANNER", b"421 4.3.2 busy\r\n", "provider_busy"),
        ("BANNER", b"450 not now\r\n", "provider_busy"),
        ("BANNER", b"554 no service\r\n", "provider_unreachable"),
        ("BANNER", b"SSH-2.0-OpenSSH_9.9\r\n", "protocol_error"),
        ("BANNER", b"999 hello\r\n", "protocol_error"),
        ("BANNER", b"220-" + b"x" * 100_000, "protocol_error"),
        ("BANNER", Act.DROP, "provider_unreachable"),
        ("BANNER", Act.HANG, "provider_unreachable"),
        ("EHLO", b"421 4.3.2 busy\r\n", "provider_busy"),
        ("EHLO", b"550 5.0.0 no\r\n", "provider_unreachable"),
        ("EHLO", b"nonsense\r\n", "protocol_error"),
        ("EHLO", b"250-x\r\n" * 10_000, "protocol_error"),
        ("EHLO", Act.DROP, "provider_unreachable"),
        ("EHLO", Act.HANG, "provider_unreachable"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_provider_that_does_not_open_says_nothing_about_the_message(
    net: Net, step: str, move: Move, reason: str
) -> None:
    server, mark = await net.serve(script={step: [move]}), Marker()

    answer = await net.channel(server).hand_off(new_parcel(), mark)

    assert (answer.verdict, answer.phase, answer.reason) == (Verdict.UNAVAILABLE, Phase.CONNECT, reason)
    assert mark.asked == []


async def test_nobody_listens(net: Net, parcel: Parcel, mark: Marker) -> None:
    async with Scripted() as server:
        gone = provider_at(server.port)

    answer = await net.channel(gone).hand_off(parcel, mark)

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "provider_unreachable")
    assert answer.provider == gone.name


@pytest.fixture(params=["starttls", "tls"])
def way(request: pytest.FixtureRequest) -> Security:
    return Security(request.param)


def over_tls(way: Security, certificates: Certificates) -> dict[str, Any]:
    features = (*FEATURES, "AUTH PLAIN LOGIN") + (("STARTTLS",) if way is Security.STARTTLS else ())
    return {"tls": certificates.server, "implicit_tls": way is Security.TLS, "features": features}


async def test_credentials_and_mail_go_over_verified_tls(
    net: Net, parcel: Parcel, certificates: Certificates, way: Security
) -> None:
    server = await net.serve(**over_tls(way, certificates))
    provider = provider_at(server.port, security=way, tls_ca=certificates.authority, **SIGNED_IN)
    channel = net.channel(provider)

    answers = [await channel.hand_off(parcel, Marker()) for _ in range(3)]

    assert [answer.verdict for answer in answers] == [Verdict.ACCEPTED] * 3
    assert server.connections == 1
    assert secrets_in(server) == [b"AUTH PLAIN " + base64.b64encode(f"\0ada\0{PASSWORD}".encode()) + b"\r\n"]
    if way is Security.STARTTLS:
        assert server.verbs()[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


async def test_a_large_message_arrives_whole(net: Net, certificates: Certificates, way: Security) -> None:
    server, mark = await net.serve(**over_tls(way, certificates)), Marker()
    film = Enclosure("film.bin", "application/octet-stream", bytes(range(256)) * 4_000)
    channel = net.channel(
        provider_at(server.port, security=way, tls_ca=certificates.authority),
        timing=replace(SHORT, hand_off_patience=timedelta(seconds=20)),
    )

    answer = await channel.hand_off(new_parcel(enclosures=(film,)), mark)

    assert (answer.verdict, answer.phase) == (Verdict.ACCEPTED, Phase.ANSWER)
    assert server.received[0].body == mark.asked[0][0]
    assert len(server.received[0].body) > 1_000_000


async def test_a_certificate_nobody_vouches_for_is_refused(
    net: Net, parcel: Parcel, certificates: Certificates, way: Security
) -> None:
    server = await net.serve(**over_tls(way, certificates))

    answer = await net.channel(provider_at(server.port, security=way, **SIGNED_IN)).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "tls_failed")
    assert secrets_in(server) == []


async def test_a_certificate_for_another_name_is_refused(
    net: Net, parcel: Parcel, certificates: Certificates, way: Security
) -> None:
    server = await net.serve(**over_tls(way, certificates))
    provider = provider_at(server.port, host="localhost", security=way, tls_ca=certificates.authority, **SIGNED_IN)

    answer = await net.channel(provider).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "tls_failed")
    assert secrets_in(server) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"features": (*FEATURES, "AUTH PLAIN")},
        {"features": (*FEATURES, "AUTH PLAIN", "STARTTLS"), "script": {"STARTTLS": [b"454 4.7.0 not now\r\n"]}},
    ],
    ids=["stripped", "refused"],
)
async def test_without_starttls_nothing_is_said_in_the_clear(
    net: Net, parcel: Parcel, certificates: Certificates, settings: dict[str, Any]
) -> None:
    server = await net.serve(**settings)
    provider = provider_at(server.port, security=Security.STARTTLS, tls_ca=certificates.authority, **SIGNED_IN)

    answer = await net.channel(provider).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "tls_required")
    assert "AUTH" not in server.verbs()
    assert "MAIL" not in server.verbs()


async def test_a_reply_injected_before_tls_is_not_believed(
    net: Net, parcel: Parcel, certificates: Certificates
) -> None:
    injected = b"220 go\r\n250-scripted\r\n250 AUTH LOGIN\r\n"
    settings = over_tls(Security.STARTTLS, certificates) | {"script": {"STARTTLS": [injected]}}
    server = await net.serve(**settings)
    provider = provider_at(server.port, security=Security.STARTTLS, tls_ca=certificates.authority, **SIGNED_IN)

    answer = await net.channel(provider).hand_off(parcel, Marker())

    assert answer.verdict is Verdict.ACCEPTED
    assert server.verbs()[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]  # EHLO was asked again, and PLAIN comes from it
    assert secrets_in(server)[0].startswith(b"AUTH PLAIN ")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"535 5.7.8 wrong\r\n", "provider_auth_failed"),
        (b"454 4.7.0 later\r\n", "provider_auth_failed"),
        (b"421 4.7.0 go away\r\n", "provider_busy"),
        (b"?\r\n", "protocol_error"),
    ],
    ids=str,
)
async def test_signing_in_is_tried_once_and_failure_is_the_providers(
    net: Net, parcel: Parcel, reply: bytes, reason: str
) -> None:
    server = await net.serve(script={"AUTH": [reply, reply]}, features=(*FEATURES, "AUTH PLAIN LOGIN CRAM-MD5"))

    answer = await net.channel(provider_at(server.port, **SIGNED_IN)).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, reason)
    assert server.verbs() == ["EHLO", "AUTH"]
    assert PASSWORD not in repr(answer)


@pytest.mark.parametrize(("features", "reason"), [(FEATURES, "provider_auth_failed"), ((), "provider_auth_failed")])
async def test_no_known_way_to_sign_in(net: Net, parcel: Parcel, features: tuple[str, ...], reason: str) -> None:
    server = await net.serve(features=(*features, "AUTH GSSAPI"))

    answer = await net.channel(provider_at(server.port, **SIGNED_IN)).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, reason)
    assert server.verbs() == ["EHLO"]


async def test_auth_login_where_plain_is_not_offered(net: Net, parcel: Parcel) -> None:
    script = {"AUTH": [b"334 UGFzc3dvcmQ6\r\n", b"235 ok\r\n"]}
    server = await net.serve(script=script, features=(*FEATURES, "AUTH=LOGIN"))

    answer = await net.channel(provider_at(server.port, **SIGNED_IN)).hand_off(parcel, Marker())

    assert answer.verdict is Verdict.ACCEPTED
    assert secrets_in(server) == [base64.b64encode(PASSWORD.encode()) + b"\r\n"]


async def test_credentials_stay_here_when_a_local_name_leads_elsewhere(
    net: Net, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "is_loopback", lambda _: False)  # as if localhost resolved to another machine
    server = await net.serve(features=(*FEATURES, "AUTH PLAIN"))

    answer = await net.channel(provider_at(server.port, **SIGNED_IN)).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "tls_required")
    assert secrets_in(server) == []


async def test_a_tenants_server_may_not_stand_on_our_own_network(net: Net, parcel: Parcel) -> None:
    server = await net.serve()

    answer = await net.channel(provider_at(server.port, public_only=True)).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "blocked_destination")
    assert server.connections == 0


async def test_a_plain_server_where_tls_was_promised(net: Net, parcel: Parcel) -> None:
    server = await net.serve()

    answer = await net.channel(provider_at(server.port, security=Security.TLS)).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "tls_failed")
