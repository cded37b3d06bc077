"""What a DKIM signature costs, beside dkimpy's, and how many mails one process signs."""

import asyncio
import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from uuid import UUID

import dkim
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from benchmarks.figures import Figure, Finding
from benchmarks.house import House
from benchmarks.mime import DOMAIN, parcel
from benchmarks.scale import Scale
from postroom.channels.email.mime import build
from postroom.channels.email.signer import Signer
from postroom.channels.email.signing import SigningKey, sign
from postroom.mail_domains.models import Algorithm
from postroom.mail_domains.pairs import new_pair, read_private

ROUNDS = 5
COUNT = 500
BARE_COUNT = 20  # dkimpy computes RSA in Python
SELECTOR = "s1"
CANONICAL = (b"relaxed", b"simple")


async def measure(_house: House, scale: Scale) -> list[Finding]:
    """Sign the same letter many times, in turns."""
    secret = new_pair(Algorithm.RSA).secret
    key = SigningKey(DOMAIN, SELECTOR, read_private(secret))
    letter = parcel("ada")
    message = build(letter, DOMAIN)
    pem = load_der_private_key(b64decode(secret), None).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    ours, bare, rates = [], [], []
    for _ in range(scale.rounds(ROUNDS)):
        bare.append(_milliseconds(lambda: dkim.sign(message, b"s1", DOMAIN.encode(), pem, None, CANONICAL), BARE_COUNT))
        ours.append(_milliseconds(lambda: sign(message, [key], letter.resolved_at), COUNT))
        rates.append(await _rate(key))
    size = f"{len(message):,} bytes"
    return [
        Finding("signing", f"signing one message of {size}, RSA-2048", "ms", Figure(ours), Figure(bare)),
        Finding("signing", "built and signed by one process", "mails/s", Figure(rates)),
    ]


async def _rate(key: SigningKey) -> float:
    async def keys_of(_tenant: UUID, _domain: str) -> Sequence[SigningKey]:
        return (key,)

    signer = Signer(keys_of)
    letters = [parcel(f"m{number}") for number in range(4 * COUNT)]
    began = time.perf_counter()
    await asyncio.gather(*(signer.signed(letter, build(letter, DOMAIN)) for letter in letters))
    took = time.perf_counter() - began
    signer.close()
    return len(letters) / took


def _milliseconds(signing: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        signing()
    return (time.perf_counter() - began) * 1_000 / count
