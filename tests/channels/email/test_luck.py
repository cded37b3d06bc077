"""Whatever a server does at random, every letter is told what the server did with it, and nothing else."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from postroom.channels.base import Answer, Verdict
from postroom.channels.email.conversation import dotted
from tests.channels.email.conftest import SHORT, Marker, Net, new_parcel, provider_at
from tests.channels.email.scripted import FEATURES, PLAIN_FEATURES
from tests.channels.email.unlucky import Unlucky

LETTERS = 40
LUCK = replace(
    SHORT,
    command_patience=timedelta(seconds=0.2),
    hand_off_patience=timedelta(seconds=0.2),
    follow_patience=timedelta(seconds=0.03),
    outage_first=timedelta(seconds=0),
)


class Sender:
    """Hands letters off; some marks are slow, some refuse, and some letters are cancelled on their way."""

    def __init__(self, net: Net, server: Unlucky, chance: Random) -> None:
        self.chance = chance
        self.channel = net.channel(provider_at(server.port), timing=LUCK, connections=3)
        self.marks: dict[str, Marker] = {}

    async def send(self, number: int) -> Answer | None:
        """Return the answer, None when it was cancelled before its body."""
        chance, name = self.chance, f"L{number}"
        pause = chance.random() / 50
        self.marks[name] = Marker(verdict=chance.random() > 0.05, after=lambda: asyncio.sleep(pause))
        parcel = new_parcel(number, address=f"{name}@example.com", sender=f"{name}@postroom.example")
        task = asyncio.create_task(self.channel.hand_off(parcel, self.marks[name]))
        if chance.random() < 0.15:
            await asyncio.sleep(chance.random() / 2)
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return None


@pytest.mark.parametrize("features", [FEATURES, PLAIN_FEATURES], ids=["pipelined", "step by step"])
@pytest.mark.parametrize("seed", range(12))
async def test_every_letter_is_told_its_own_fate(net: Net, features: tuple[str, ...], seed: int) -> None:
    theirs, ours = Random(f"server {seed}"), Random(f"sender {seed}")  # noqa: S311 - luck that can be repeated
    async with Unlucky.open(theirs, features) as server:
        sender = Sender(net, server, ours)
        answers = await asyncio.gather(*(sender.send(number) for number in range(LETTERS)))
        await net.close()

        for number, answer in enumerate(answers):
            name = f"L{number}"
            told(answer, name, (server.bodies[name], server.taken[name]))
            marks = sender.marks[name].asked
            assert server.bodies[name] <= len(marks) <= 1
            assert server.contents.get(name) in {None, *(dotted(message) for message, _ in marks)}
    assert Verdict.ACCEPTED in {answer.verdict for answer in answers if answer}


def told(answer: Answer | None, name: str, seen: tuple[int, int]) -> None:
    """Compare what a letter was told with how often the server saw its body and took it."""
    if answer is None or answer.verdict in {Verdict.WITHDRAWN, Verdict.UNAVAILABLE}:
        assert seen == (0, 0), (name, answer)
    elif answer.verdict is Verdict.ACCEPTED:
        assert seen == (1, 1), (name, answer)
    elif answer.verdict in {Verdict.DEFERRED, Verdict.REJECTED}:
        assert seen in {(0, 0), (1, 0)}, (name, answer)
    if answer and answer.detail and answer.code:
        assert f"about {name}." in answer.detail, (name, answer)
