"""Sends our mail through a real Postfix, has OpenDKIM verify and SpamAssassin score it, and prints what they say."""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from postroom.channels.base import Parcel, Verdict
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.mime import build
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.channels.email.signer import Signer
from postroom.channels.email.signing import SigningKey, sign
from postroom.identity import new_id
from postroom.mail_domains.models import Algorithm
from postroom.mail_domains.pairs import new_pair, read_private
from postroom.timing import Timing
from tests.channels.email.scripted import FEATURES, Scripted
from tests.channels.email.test_signing import SHAPES
from tests.fixtures.waiting import until
from tests.interop.letters import TENANT, letters
from tests.interop.programs import HOST, missing, relay, spam_score, verifier

DOMAIN = "postroom.example"
MANY = 500
LIMIT = 1.0  # points; most receivers take 5 for spam
PATIENCE_SECONDS = 60.0


@dataclass
class Post:
    """Our channel into Postfix, and the server behind it that keeps what comes out."""

    channel: EmailChannel
    sink: Scripted

    async def carried(self, parcels: Sequence[Parcel]) -> list[bytes]:
        """Send, wait until all came out at the other end, and return them in the order they were given."""
        before = len(self.sink.received)
        answers = await asyncio.gather(*(self.channel.hand_off(parcel, _agree) for parcel in parcels))
        if wrong := [answer for answer in answers if answer.verdict is not Verdict.ACCEPTED]:
            raise RuntimeError(f"Postfix did not take it: {wrong[0]}")
        await until(self._all_came(before + len(parcels)), PATIENCE_SECONDS)
        found = {one.body.partition(b"Message-ID: <")[2][:32]: one.body for one in self.sink.received[before:]}
        return [found[parcel.delivery_id.hex.encode()] for parcel in parcels]

    def _all_came(self, count: int) -> Callable[[], Awaitable[object]]:
        async def came() -> bool:
            return len(self.sink.received) >= count

        return came


async def _agree(message: bytes | None, provider: str) -> bool:
    return bool(message and provider)


def verdicts(message: bytes) -> list[str]:
    """What OpenDKIM said of each signature."""
    head = re.sub(rb"\r\n[ \t]+", b" ", message.partition(b"\r\n\r\n")[0]).decode("utf-8", "replace")
    said = [line for line in head.split("\r\n") if line.startswith(f"Authentication-Results: {HOST}")]
    return [result for line in said for result in re.findall(r"dkim=(\w+)", line)]


async def examine(post: Post, keys: Sequence[SigningKey], folder: Path) -> bool:
    """Print the figures; False when one of them is not as it must be."""
    shapes = [replace(next(iter(letters().values())), delivery_id=new_id(), **fields) for fields in SHAPES.values()]
    believed = [verdicts(one) == ["pass"] * len(keys) for one in await post.carried(shapes)]
    print(f"shapes of mail believed by OpenDKIM: {sum(believed)} of {len(shapes)}")
    print("  not: " + ", ".join(name for name, one in zip(SHAPES, believed, strict=True) if not one) or "-")
    first = next(iter(letters().values()))
    spoilt = sign(build(first, DOMAIN), keys, first.resolved_at).replace(b"this morning", b"this evening")
    [refused] = await post.carried([replace(first, message=spoilt)])
    print(f"a changed mail: {', '.join(verdicts(refused))}")
    many = [replace(first, delivery_id=new_id()) for _ in range(MANY)]
    began = time.monotonic()
    carried = await post.carried(many)
    took = time.monotonic() - began
    good = sum(verdicts(one) == ["pass"] * len(keys) for one in carried)
    print(f"{MANY} signed mails through Postfix and OpenDKIM: {MANY / took:.0f}/s, {good} believed")
    scores = []
    for name, parcel in letters().items():
        [message] = await post.carried([parcel])
        score, tests = await spam_score(message, folder)
        print(f"SpamAssassin gives {score:4.1f} to {name}: {tests}")
        scores.append(score)
    return all(believed) and good == MANY and "pass" not in verdicts(refused) and max(scores) < LIMIT


async def run(folder: Path) -> bool:
    """Start everything, look, and end everything."""
    pairs = [(one, new_pair(one)) for one in Algorithm]
    keys = [SigningKey(DOMAIN, f"s{at}", read_private(pair.secret)) for at, (_, pair) in enumerate(pairs)]
    records = {
        f"s{at}._domainkey.{DOMAIN}": f"v=DKIM1; k={one.removesuffix('-sha256')}; p={pair.public}"
        for at, (one, pair) in enumerate(pairs)
    }

    async def keys_of(_: UUID, domain: str) -> Sequence[SigningKey]:
        return keys if domain == DOMAIN else ()

    signer = Signer(keys_of)
    async with (
        Scripted(features=[*FEATURES, "SMTPUTF8"]) as sink,
        verifier(folder, records) as milter,
        relay(folder, milter, sink.port) as port,
    ):

        async def providers_of(tenant_id: UUID) -> Sequence[Provider]:
            return [Provider("postfix", "127.0.0.1", port, Security.NONE)] if tenant_id == TENANT else []

        channel = EmailChannel(providers_of, Timing(), EmailOptions(DOMAIN, 8), None, signer)
        try:
            return await examine(Post(channel, sink), keys, folder)
        finally:
            await channel.close()
            signer.close()


def main() -> int:
    """Run it, or say what is missing."""
    if lacking := missing():
        print(f"make interop needs the Debian packages {', '.join(lacking)}: apt-get install {' '.join(lacking)}")
        return 2
    if os.geteuid() != 0:
        print("make interop must run as root: Postfix wants to be started by it.")
        return 2
    with tempfile.TemporaryDirectory(prefix="interop-") as name:
        Path(name).chmod(0o755)  # Postfix and SpamAssassin work in it under names of their own
        fine = asyncio.run(run(Path(name)))
    print("as it must be" if fine else "NOT as it must be")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
