"""Provider URLs say everything, and their errors never say a password."""

from pathlib import Path

import pytest

from postroom.channels.email.presets import PRESETS, Security
from postroom.channels.email.providers import Provider, parse_provider, parse_providers
from postroom.errors import Invalid
from postroom.limits.allowance import Allowance

WORD = "hunter2"


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("smtp://127.0.0.1:1025", Provider("127.0.0.1:1025", "127.0.0.1", 1025, Security.NONE)),
        ("smtp://mailbox", Provider("mailbox:25", "mailbox", 25, Security.NONE)),
        ("smtp://u:p@localhost:1025", Provider("localhost:1025", "localhost", 1025, Security.NONE, "u", "p")),
        ("smtp+starttls://u:p%40ss%2F@mx.example.com", Provider(
            "mx.example.com:587", "mx.example.com", 587, Security.STARTTLS, "u", "p@ss/"
        )),
        ("smtps://u%40x.example:p@mx.example.com", Provider(
            "mx.example.com:465", "mx.example.com", 465, Security.TLS, "u@x.example", "p"
        )),
        ("smtp://[::1]:25?name=local&connections=4&per_connection=10", Provider(
            "local", "::1", 25, Security.NONE, connections=4, per_connection=10
        )),
        ("preset:sendgrid?password=p", Provider(
            "sendgrid", "smtp.sendgrid.net", 587, Security.STARTTLS, "apikey", "p"
        )),
        ("preset:resend?password=p&name=backup", Provider(
            "backup", "smtp.resend.com", 465, Security.TLS, "resend", "p"
        )),
        ("preset:ses?region=eu-west-1&username=u&password=p%2B", Provider(
            "ses", "email-smtp.eu-west-1.amazonaws.com", 587, Security.STARTTLS, "u", "p+"
        )),
    ],
)  # fmt: skip
def test_a_provider_url(url: str, provider: Provider) -> None:
    assert parse_provider(url) == provider


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"http://u:{WORD}@host", "begin with"),
        (f"u:{WORD}@host", "begin with"),
        (f"smtp://u:{WORD}@mx.example.com", "credentials"),
        (f"smtps://u:{WORD}@mx.example.com:port", "port"),
        (f"smtps://u:{WORD}@mx.example.com:99999", "port"),
        (f"smtps://u:{WORD}@", "host"),
        (f"smtps://u:pass/{WORD}@mx.example.com", "port"),
        (f"smtps://u:{WORD}@mx.example.com/path", "host"),
        (f"smtps://u:pa#{WORD}@mx.example.com", "%23"),
        (f"smtps://u:pa?{WORD}@mx.example.com", "URL"),
        (f"smtps://u:{WORD}@[mx", "URL"),
        (f"smtps://{WORD}@mx.example.com", "together"),
        (f"smtps://u:{WORD}@mx.example.com?tls=no", "unknown option"),
        (f"smtps://u:{WORD}@mx.example.com?connections=0", "connections"),
        (f"smtps://u:{WORD}@mx.example.com?connections=many", "connections"),
        (f"smtps://u:{WORD}@mx.example.com?per_connection=99999", "per_connection"),
        (f"smtps://u:{WORD}@mx.example.com?weight=101", "weight"),
        (f"smtps://u:{WORD}@mx.example.com?weight=0", "weight"),
        (f"smtps://u:{WORD}@mx.example.com?per_second=10001", "per_second"),
        (f"smtps://u:{WORD}@mx.example.com?per_minute=-1", "per_minute"),
        (f"smtps://u:{WORD}@mx.example.com?per_day=1e6", "per_day"),
        (f"smtps://u:{WORD}@mx.example.com?name=a&name=b", "twice"),
        (f"smtps://u:{WORD}@mx.example.com?name=a%20b", "name"),
        (f"smtps://u:{WORD}@mx.example.com?tls_ca=/no/such/file", "tls_ca"),
        (f"preset:nobody?password={WORD}", "sendgrid"),
        (f"preset:gmail?password={WORD}", "username"),
        ("preset:sendgrid", "needs password"),
        (f"preset:ses?username=u&password={WORD}", "region"),
        (f"preset:ses?username=u&password={WORD}&region=evil.com%2F", "region"),
        ("", "begin with"),
    ],
)
def test_a_bad_url_is_explained_without_the_password(url: str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as refused:
        parse_provider(url)
    assert refused.value.code == "invalid_provider_url"
    assert WORD not in str(refused.value)


def test_a_password_is_not_shown() -> None:
    assert WORD not in repr(parse_provider(f"smtps://u:{WORD}@mx.example.com"))


def test_weight_and_limits() -> None:
    plain, told = parse_providers("smtp://a smtp://b?weight=100&per_second=14&per_minute=600&per_day=50000")
    assert (plain.weight, plain.allowance, str(plain.allowance)) == (None, Allowance(), "none")
    assert (told.weight, told.allowance) == (100, Allowance(14, 600, 50_000))
    assert str(told.allowance) == "14 a second, 600 a minute, 50000 a day"


def test_several_in_order() -> None:
    providers = parse_providers("smtps://u:p@a.example.com\n  preset:sendgrid?password=p")
    assert [provider.name for provider in providers] == ["a.example.com:465", "sendgrid"]


def test_two_of_one_name_cannot_be_told_apart() -> None:
    with pytest.raises(Invalid, match="same name"):
        parse_providers("preset:sendgrid?password=a preset:sendgrid?password=b")


def test_a_certificate_file(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    assert parse_provider(f"smtps://mx.example.com?tls_ca={authority}").tls_ca == authority


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_protected_and_complete(name: str) -> None:
    provider = parse_provider(
        f"preset:{name}?password=p&username=u&region=eu-west-1"
        if name == "ses"
        else f"preset:{name}?password=p&username=u"
    )
    assert provider.security is not Security.NONE
    assert provider.port in {465, 587}
    assert "{" not in provider.host
    assert (provider.username, provider.password) == ("u", "p")
