"""Spells the fields that tell what kind of mail it is: whose list, for which feedback, or made by a machine."""

from functools import lru_cache
from hashlib import sha256

from postroom.channels.base import Parcel
from postroom.channels.email.addresses import parse_sender
from postroom.channels.email.headers import spell_mailbox
from postroom.contracts.vocabulary import MessageClass

SENDER_DIGITS = 10  # Gmail wants 5 to 15 characters for who sends


def spell_origin(parcel: Parcel, domain: str) -> str:
    """Spell them as whole lines; `domain` is the deployment's.

    What a machine sends to one person says so (RFC 3834 section 5), so that no holiday notice answers it; a newsletter,
    which has an unsubscription, is no such answer. Precedence is not used: RFC 2076 discourages it.

    Raises:
        Invalid: the address for replies cannot be spelt safely.
    """
    automatic = "" if parcel.unsubscribe_url else "Auto-Submitted: auto-generated\r\n"
    if parcel.bulk is None:
        return automatic
    campaign, tenant = parcel.bulk.campaign_id.hex, parcel.tenant_id.hex
    kind = MessageClass.MARKETING if parcel.unsubscribe_url else MessageClass.TRANSACTIONAL
    listed = f"List-Id: <{campaign}.{parse_sender(parcel.sender).address.rpartition('@')[2]}>\r\n"
    feedback = f"Feedback-ID: {campaign}:{tenant}:{kind}:{_sender(domain)}\r\n"
    return f"{_reply_to(parcel.bulk.reply_to)}{listed}{feedback}{automatic}"


def _reply_to(text: str | None) -> str:
    if text is None:
        return ""
    mailbox = parse_sender(text)
    return f"Reply-To: {spell_mailbox(mailbox.name, mailbox.address)}\r\n"


@lru_cache(maxsize=16)
def _sender(domain: str) -> str:
    """Name the deployment: the same in all its mail, and another one's has another."""
    return f"pr{sha256(domain.encode()).hexdigest()[:SENDER_DIGITS]}"
