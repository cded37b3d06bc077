"""Webhooks on their way to a receiver that stands still, is killed and comes back, and what became of each."""

import asyncio
import json
from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from postroom.identity import NOTIFICATION, public_id
from tests.chaos.caller import Caller, Letter
from tests.chaos.house import House
from tests.chaos.loads import DEMO, Load, accept
from tests.chaos.oracle import STORY, Row, Verdict, ended, weighed
from tests.chaos.scene import CLASSES, END_SECONDS, REACH_SECONDS, Scene
from tests.fixtures.plain_http import plain_client
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.waiting import until

PATH = "/hook"
TAKEN = "taken"  # by the receiver, which has not answered
PER_MINUTE = 60_000

# What the ledger tells of before a message goes once more: a refusal, or that nobody knows.
REASONS_TO_SEND_AGAIN = ("deferred", "evidence")


async def add_endpoint(house: House, receiver: Receiver) -> None:
    """Have the demo tenant's webhooks sent to a receiver."""
    headers = {"Authorization": f"Bearer {house.api_key}", "Idempotency-Key": receiver.address}
    body = {"url": receiver.url(PATH), "rate_per_minute": PER_MINUTE}
    async with plain_client(base_url=house.api_url, headers=headers) as wire:
        answer = await wire.post("/api/v1/webhook-endpoints", json=body)
    assert answer.status_code == HTTPStatus.CREATED, answer.text


class HookScene(Scene):
    """One round's webhooks."""

    def __init__(self, house: House, caller: Caller, name: str, receiver: Receiver) -> None:
        super().__init__(house, caller, name)
        self.receiver = receiver
        self._answers = asyncio.Event()
        self._had = 0

    def letter(self, name: str, classes: Sequence[str] = CLASSES) -> Letter:
        """One webhook of this scene."""
        letter = super().letter(name, classes)
        letter.more.update(channel="webhook", metadata={"webhook_url": self.receiver.url(PATH)})
        return letter

    async def load(self, count: int) -> None:
        """Have many accepted at once."""
        tenant_id = (await self.house.rows(DEMO))[0]["id"]
        load = HookLoad(tenant_id, self.receiver.url(PATH), count, channel="webhook", placed="webhook_url")
        self.ids += await accept(self.house.database_url, load)

    def hold(self) -> None:
        """Let the receiver take whatever comes, and answer nobody."""
        self._answers.clear()
        self._had = len(self.receiver.received)
        self.receiver.react(PATH, Reaction(until=self._answers))

    async def taken(self) -> None:
        """Wait until the receiver has taken something that it does not answer."""

        async def has_something() -> bool:
            return len(self.receiver.received) > self._had

        await until(has_something, REACH_SECONDS)
        self.barriers.append(TAKEN)

    async def let_go(self) -> None:
        """Open every barrier."""
        self.receiver.react(PATH, Reaction())
        self._answers.set()
        await super().let_go()

    async def judged(self, patience: float = END_SECONDS) -> Verdict:
        """Wait until all have ended, at most so many seconds, and judge by what the receiver took."""
        await ended(self.house, self.ids, patience)
        story = await self.house.rows(STORY, self.ids)
        copies = self._copies()
        verdict = weighed(story, self.ids, lambda row: copies.get(public_id(NOTIFICATION, row["id"]), ()))
        for row in story:
            name, resends = public_id(NOTIFICATION, row["id"]), _resends(row)
            if resends:
                verdict.resent.append(name)
            if len(copies.get(name, ())) > 1 + resends:
                verdict.denied.append(name)
        return verdict

    def _copies(self) -> dict[str, list[str]]:
        """What came for each notification: the id a receiver goes by, and the body under it."""
        copies: dict[str, list[str]] = {}
        for request in self.receiver.to(PATH):
            told: dict[str, Any] = json.loads(request.body)["data"]
            words = f"{request.headers['webhook-id']} {sha256(request.body).hexdigest()}"
            copies.setdefault(told["notification_id"], []).append(words)
        return copies

    async def states(self) -> dict[str, int]:
        """How many of its notifications stand where."""
        found = await self.house.rows(
            "SELECT state, count(*) AS count FROM notifications WHERE id = ANY(%s) GROUP BY state", self.ids
        )
        return {row["state"]: row["count"] for row in found}


class HookLoad(Load):
    """Many webhooks to one endpoint, whose URL is the name of the load."""

    __slots__ = ()

    @property
    def addresses(self) -> list[str]:
        """Where they go."""
        return [self.name] * self.count


def _resends(row: Row) -> int:
    return sum(row["events"].count(event) for event in REASONS_TO_SEND_AGAIN)
