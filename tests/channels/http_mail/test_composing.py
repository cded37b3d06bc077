"""A finished message as a vendor wants it told: the same bytes, the same request."""

import json
from urllib.parse import parse_qs

import pytest

from postroom.channels.base import Enclosure
from postroom.channels.http_mail.composing import body_of, credentials, fields_of
from postroom.channels.http_mail.route import message_name
from postroom.channels.http_mail.vendors import VENDORS
from postroom.errors import Invalid
from tests.channels.email.conftest import new_parcel
from tests.channels.http_mail.conftest import letter

LOGIN = ("batch", "s3cret")


def test_a_form_says_who_asks_and_what_is_sent() -> None:
    vendor = VENDORS["aurora"]
    mail = letter(new_parcel(title="Grüße", unsubscribe_url="https://x.example/u/1"))
    form = parse_qs(body_of(vendor, fields_of(vendor, mail), LOGIN).decode())
    headers = json.loads(form.pop("headers")[0])
    assert form == {
        "apiUser": ["batch"],
        "apiKey": ["s3cret"],
        "respEmailId": ["true"],
        "from": ["no-reply@postroom.example"],
        "fromName": ["Postroom"],
        "to": ["ada@example.com"],
        "subject": ["Grüße"],
        "plain": ["It is on its way.\r\n"],
        "html": ["<p>It is on its way.</p>"],
    }
    assert headers["Message-ID"] == message_name(mail.message)
    assert headers["List-Unsubscribe"] == "<https://x.example/u/1>"
    assert not {"From", "To", "Subject", "Date", "Content-Type"} & headers.keys()
    assert credentials(vendor, *LOGIN) == {}


def test_json_goes_with_basic_credentials() -> None:
    vendor = VENDORS["generic"]
    said = json.loads(body_of(vendor, fields_of(vendor, letter()), LOGIN))
    assert (said["from"], said["from_name"], said["text"]) == (
        "no-reply@postroom.example", "Postroom", "It is on its way.\r\n",
    )  # fmt: skip
    assert said["return_path"] == "news@postroom.example"
    assert credentials(vendor, *LOGIN) == {"Authorization": "Basic YmF0Y2g6czNjcmV0"}


@pytest.mark.parametrize("kind", sorted(VENDORS))
def test_the_same_bytes_make_the_same_request(kind: str) -> None:
    bodies = {body_of(VENDORS[kind], fields_of(VENDORS[kind], letter()), LOGIN) for _ in range(3)}
    assert len(bodies) == 1


def test_what_is_more_than_words_is_refused() -> None:
    parcel = new_parcel(enclosures=(Enclosure("a.pdf", "application/pdf", b"x"),))
    with pytest.raises(Invalid) as refused:
        fields_of(VENDORS["aurora"], letter(parcel))
    assert refused.value.code == "attachments_unsupported"
