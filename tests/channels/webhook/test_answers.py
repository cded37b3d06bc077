"""What receivers say, made harmless: numbers without sense, and words with secrets in them."""

from datetime import timedelta

import pytest

from postroom.channels.webhook.answers import retry_after, words_of
from postroom.egress.client import Reply
from postroom.webhooks.signing import PREFIX

SECRET = "whsec_ab/cd+efGHIJKLMNOPQRSTUVWXYZ0123456789abcdef="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-1",
        "1.5",
        "5, 6",
        "\u0663",
        "9" * 20,
        "Mon, 1 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 1 Jan 2030 00:00:00 +999999999999999999",
        "Mon, 99 Jan 2030 99:99:99 GMT",
    ],
)
def test_a_retry_after_without_sense_is_none(text: str) -> None:
    assert retry_after(Reply(429, {"retry-after": text}, b"", timedelta(0))) is None


@pytest.mark.parametrize(
    ("plain", "written"), [("/", "\\/"), ("/", "%2F"), ("/", "&#x2F;"), ("+", "\\u002b"), ("", "")]
)
def test_a_secret_is_known_however_it_is_written(plain: str, written: str) -> None:
    echo = words_of(f'{{"key": "{SECRET.replace(plain, written)}", "next": 1}}', [SECRET])
    assert echo == '{"key": "<secret>", "next": 1}'


def test_a_secret_is_known_without_its_beginning() -> None:
    assert words_of(f"key={SECRET.removeprefix(PREFIX)} ok", [SECRET]) == "key=<secret> ok"


def test_addresses_are_left_out() -> None:
    assert words_of("for <ada@shop.example>, @ home\x00\r\nand b@c") == "for <address> <address> home and <address>"
