"""What building the bytes of one mail costs, beside the standard library's EmailMessage."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from benchmarks.figures import Figure, Finding
from benchmarks.house import House
from benchmarks.letters import HTML, TEXT, TITLE, address
from benchmarks.scale import Scale
from postroom.channels.base import Parcel
from postroom.channels.email.mime import build
from postroom.identity import message_id, new_id

DOMAIN = "postroom.example"
SENDER = f"Postroom <no-reply@{DOMAIN}>"
ROUNDS = 5
COUNT = 300


async def measure(_house: House, scale: Scale) -> list[Finding]:
    """Build the same letter many times, in turns."""
    ours, bare = [], []
    for _ in range(scale.rounds(ROUNDS)):
        bare.append(_milliseconds(email_message))
        ours.append(_milliseconds(lambda letter: build(letter, DOMAIN)))
    size = len(build(parcel("ada"), DOMAIN))
    return [Finding("mime", f"building one message of {size:,} bytes", "ms", Figure(ours), Figure(bare))]


def parcel(name: str) -> Parcel:
    """A letter to one person, as a pass hands it to the channel."""
    return Parcel(
        delivery_id=new_id(),
        notification_id=new_id(),
        tenant_id=new_id(),
        address=address(name),
        sender=SENDER,
        resolved_at=datetime.now(UTC),
        title=TITLE,
        body_text=TEXT,
        body_html=HTML,
    )


def email_message(letter: Parcel) -> bytes:
    """Build it the way the standard library's documentation does."""
    message = EmailMessage(policy=SMTP)
    message["Date"] = format_datetime(letter.resolved_at)
    message["From"] = letter.sender
    message["To"] = letter.address
    message["Message-ID"] = message_id(letter.delivery_id, DOMAIN)
    message["Subject"] = letter.title
    message.set_content(letter.body_text)
    message.add_alternative(letter.body_html, subtype="html")
    return message.as_bytes()


def _milliseconds(building: Callable[[Parcel], bytes]) -> float:
    letters = [parcel(f"m{number}") for number in range(COUNT)]
    began = time.perf_counter()
    for letter in letters:
        building(letter)
    return (time.perf_counter() - began) * 1_000 / COUNT
