"""A product team's client: sends notifications and repeats a request under its key until it is answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import httpx2

from postroom.identity import NOTIFICATION, parse_id
from tests.fixtures.plain_http import plain_client

PATH = "/api/v1/notifications"
PATIENCE_SECONDS = 40.0
PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Letter:
    """What a test wants to have sent: the sink behaves by the local part `to`, and `tag` tells letters apart."""

    tag: str
    to: str = "ok"
    priority: str = "medium"
    message_class: str = "transactional"
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it goes."""
        return f"{self.to}+{self.tag}@example.org"

    @property
    def body(self) -> dict[str, Any]:
        """The request."""
        return {
            "channel": "email",
            "priority": self.priority,
            "class": self.message_class,
            "title": f"About {self.tag}",
            "content": {"text": "Nothing is lost.", "html": "<p>Nothing is <b>lost</b>.</p>"},
            "metadata": {"email": self.address},
        } | self.more


class Caller:
    """Speaks to the API of a house."""

    def __init__(self, url: str, api_key: str) -> None:
        self._client = plain_client(base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=10)

    async def send(self, letter: Letter, key: str | None = None) -> UUID:
        """Send one letter, however often the request has to be repeated."""
        headers = {"Idempotency-Key": key or uuid4().hex}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    answer = await self._client.post(PATH, json=letter.body, headers=headers)
                    if answer.status_code == HTTPStatus.ACCEPTED:
                        return parse_id(NOTIFICATION, answer.json()["id"])
                    if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                        raise AssertionError(answer.text)
                except httpx2.TransportError:
                    pass  # the answer did not come; whether it was accepted is what the key will tell
                await asyncio.sleep(PAUSE_SECONDS)

    async def send_all(self, letters: Sequence[Letter]) -> list[UUID]:
        """Send many at once; ids in their order."""
        return list(await asyncio.gather(*(self.send(letter) for letter in letters)))

    async def act(self, notification_id: UUID, verb: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        """Cancel, reschedule, send-now or retry."""
        return await self._client.post(f"{PATH}/notif_{notification_id.hex}/{verb}", json=body)

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()
