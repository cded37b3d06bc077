"""Sets the demo tenant's scene at every start of the local stack, over the API: words, kinds of message, people."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from zoneinfo import ZoneInfo

from postroom.local.demo import DEMO_KEY
from postroom.local.newsletter import EVERYBODY, NAME, NEWSLETTER, READERS, TAG
from postroom.local.ports import HOST

API_PORT = "POSTROOM_API_PORT"
PATIENCE_SECONDS = 10.0
REVIEW = "/settings/review"
# Where these are, the scene was set before and is the person's own by now.
FIRST = "/templates/parcel-shipped"
SECOND = f"/templates/{NAME}"

VARIABLES = [
    {"name": "number", "description": "The number of the order"},
    {"name": "arrives", "type": "date", "description": "The day it comes"},
    {"name": "total", "type": "number", "default": 0},
]
MAIL = """<mjml><mj-body><mj-section><mj-column>
<mj-text font-size="20px">{greeting} {{{{ contact.first_name | default("{somebody}") }}}},</mj-text>
<mj-text>{sentence}</mj-text>
</mj-column></mj-section></mj-body></mjml>"""
ON_ITS_WAY = "Your order {{ number }} is on its way and arrives on {{ arrives | date }}."
UNTERWEGS = "Ihre Bestellung {{ number }} ist unterwegs und kommt am {{ arrives | date }}."
TEMPLATES: list[dict[str, Any]] = [
    {
        "name": "parcel-shipped",
        "channel": "email",
        "languages": {
            "en": {
                "title": "Order {{ number }} is on its way",
                "text": ON_ITS_WAY,
                "mjml": MAIL.format(greeting="Hello", somebody="there", sentence=ON_ITS_WAY),
            },
            "de": {
                "title": "Bestellung {{ number }} ist unterwegs",
                "text": UNTERWEGS,
                "mjml": MAIL.format(greeting="Hallo", somebody="zusammen", sentence=UNTERWEGS),
            },
        },
    },
    {
        "name": "parcel-shipped-inbox",
        "channel": "in_app",
        "languages": {
            "en": {"title": "Order {{ number }}", "text": ON_ITS_WAY},
            "de": {"title": "Bestellung {{ number }}", "text": UNTERWEGS},
        },
    },
    {
        "name": "parcel-shipped-webhook",
        "channel": "webhook",
        "languages": {
            "en": {"title": "parcel.shipped", "text": "{{ number }}: shipped, {{ total | currency('EUR') }}"},
            "de": {"title": "parcel.shipped", "text": "{{ number }}: versandt, {{ total | currency('EUR') }}"},
        },
    },
]
TYPES: dict[str, dict[str, Any]] = {
    "order_shipped": {"group": "activity", "class": "transactional", "description": "When your order leaves us"},
    "newsletter": {"group": "marketing", "class": "marketing", "description": "What is new, once a week"},
}
ADA = {
    "addresses": {"email": "ada@example.com"},
    "time_zone": "Europe/London",
    "language": "en",
    "attributes": {"first_name": "Ada"},
    "quiet_hours": {"enabled": False},
}
BRUNO = {"addresses": {"email": "bruno@example.com"}, "language": "de", "attributes": {"first_name": "Bruno"}}
CITIES = (
    "Pacific/Honolulu",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Atlantic/Azores",
    "Europe/Berlin",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Sydney",
)
DEEP_IN_THE_NIGHT = time(2)


class Desk:
    """Asks the API as the demo tenant."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def has(self, path: str) -> bool:
        """Tell whether there is such a thing."""
        return self._ask("GET", path, None)[0] == HTTPStatus.OK

    def write(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Write something, and say so when it cannot be."""
        status, answer = self._ask(method, path, body)
        if status >= HTTPStatus.BAD_REQUEST:
            sys.stderr.write(f"warning: {method} {path} was answered with {status}: {answer}\n")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, str]:
        self._connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()


def set_scene(desk: Desk, now: datetime) -> None:
    """Write everything once; only the person who sleeps moves on, to where it is night at `now`."""
    if not desk.has(FIRST):
        desk.write("PUT", REVIEW, {"required": False})  # the demo tenant has one key, and nobody else to ask
        for template in TEMPLATES:
            desk.write("POST", "/templates", {**template, "language": "en", "variables": VARIABLES})
        for name, kind in TYPES.items():
            desk.write("PUT", f"/notification-types/{name}", kind)
        desk.write("PUT", "/contacts/ada", ADA)
        desk.write("PUT", "/contacts/bruno", BRUNO)
    if not desk.has(SECOND):
        desk.write("POST", "/templates", NEWSLETTER)
        for name, reader in READERS.items():
            desk.write("PUT", f"/contacts/{name}", reader)
        desk.write("POST", f"/tags/{TAG}/contacts", {"add": EVERYBODY})
    desk.write("PATCH", "/contacts/bruno", {"time_zone": asleep(now)})


def asleep(now: datetime) -> str:
    """Return the zone in which it is deepest in the night."""

    def from_two(zone: str) -> timedelta:
        local = now.astimezone(ZoneInfo(zone))
        apart = abs(local - datetime.combine(local, DEEP_IN_THE_NIGHT, local.tzinfo))
        return min(apart, timedelta(days=1) - apart)

    return min(CITIES, key=from_two)


if __name__ == "__main__":
    set_scene(Desk(int(os.environ[API_PORT]), os.environ[DEMO_KEY]), datetime.now(UTC))
