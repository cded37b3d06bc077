"""Fields that say what kind of mail it is: stable, short enough, and nobody's way into the header."""

import email
import email.policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest

from postroom.channels.base import Bulk
from postroom.channels.email.mime import build
from postroom.errors import Invalid
from tests.channels.email.conftest import DOMAIN, TENANT, new_parcel

BULK = Bulk(task_id=UUID(int=5), campaign_id=UUID(int=6), seq=1)
UNSUBSCRIBE = "https://postroom.example/u/x"


def fields(**changes: Any) -> EmailMessage:
    message = email.message_from_bytes(build(new_parcel(**changes), DOMAIN), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def test_a_newsletter_names_its_list_and_its_feedback() -> None:
    message = fields(bulk=BULK, unsubscribe_url=UNSUBSCRIBE, sender="Shop <news@shop.example.com>")
    assert message["List-Id"] == f"<{UUID(int=6).hex}.shop.example.com>"
    campaign, tenant, kind, sender = message["Feedback-ID"].split(":")
    assert (campaign, tenant, kind) == (UUID(int=6).hex, TENANT.hex, "marketing")
    assert 5 <= len(sender) <= 15
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (message["Auto-Submitted"], message["Precedence"], message["Reply-To"]) == (None, None, None)


def test_a_bulk_of_transactional_mail_says_that_a_machine_sent_it() -> None:
    message = fields(bulk=BULK)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Feedback-ID"].split(":")[2] == "transactional"


def test_a_single_message_has_neither_list_nor_feedback() -> None:
    message = fields()
    assert message["Auto-Submitted"] == "auto-generated"
    assert (message["List-Id"], message["Feedback-ID"], message["Reply-To"]) == (None, None, None)
    assert fields(unsubscribe_url=UNSUBSCRIBE)["Auto-Submitted"] is None


def test_all_recipients_of_a_campaign_share_the_fields() -> None:
    one = fields(bulk=BULK)
    other = email.message_from_bytes(build(new_parcel(2, bulk=Bulk(UUID(int=9), UUID(int=6), 2)), DOMAIN))
    assert (one["List-Id"], one["Feedback-ID"]) == (other["List-Id"], other["Feedback-ID"])


@pytest.mark.parametrize("name", ["Hélène, Shop", 'A "quoted" name', "=?utf-8?q?x?=", ""])
def test_replies_go_where_they_were_asked_to(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    message = fields(bulk=Bulk(UUID(int=5), UUID(int=6), 1, reply_to=f'"{quoted}" <help@shop.example.com>'))
    [mailbox] = message["Reply-To"].addresses
    assert (mailbox.display_name, mailbox.addr_spec) == (name, "help@shop.example.com")


@pytest.mark.parametrize(
    "text", ["a@b.example.com\r\nBcc: eve@evil.example", "Shop\n <a@shop.example.com>", "x", "a@b"]
)
def test_no_address_for_replies_breaks_the_header(text: str) -> None:
    with pytest.raises(Invalid):
        build(new_parcel(bulk=Bulk(UUID(int=5), UUID(int=6), 1, reply_to=text)), DOMAIN)
