"""How a renderer and its child speak over their pipes: JSON with a length before it, and texts in one piece."""

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

from postroom.rendering.speech import Words
from postroom.rendering.trouble import Trouble

LENGTH = struct.Struct(">I")
LENGTHS = struct.Struct(">II")
LARGEST_REPLY = 64_000_000  # bytes; a child that says more has lost its mind

Spoken = Words | Trouble


def packed(order: object) -> bytes:
    """Spell an order to a child."""
    body = json.dumps(order, separators=(",", ":")).encode()
    return LENGTH.pack(len(body)) + body


def reply(spoken: Iterable[Spoken]) -> bytes:
    """Spell some answers: a list of lengths or troubles, then all texts one behind the other."""
    head: list[Any] = []
    texts: list[str] = []
    for one in spoken:
        if isinstance(one, Trouble):
            head.append(one.plain())
            continue
        parts = (one.title, one.text, one.html)
        head.append([-1 if part is None else len(part) for part in parts])
        texts += [part for part in parts if part]
    header = json.dumps(head, separators=(",", ":")).encode()
    body = "".join(texts).encode("utf-8", "surrogatepass")
    return LENGTHS.pack(len(header), len(body)) + header + body


def answers(header: bytes, body: bytes) -> Iterator[Spoken]:
    """Read what `reply` spelled; lengths count characters."""
    text, at = body.decode("utf-8", "surrogatepass"), 0
    for one in json.loads(header):
        if isinstance(one, dict):
            yield Trouble.read(one)
            continue
        parts: list[str | None] = []
        for length in one:
            if length < 0:
                parts.append(None)
            else:
                parts.append(text[at : at + length])
                at += length
        yield Words._make(parts)
