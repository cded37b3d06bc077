"""How long an operator waits for what is asked about a task that is over, and about an audience as large."""

import asyncio
import json
import time
from http import HTTPStatus

from benchmarks.client import HttpConnection
from benchmarks.figures import Figure
from benchmarks.house import House
from postroom.identity import TASK, public_id

ROUNDS = 5
MOST_TRIES = 100
NEWEST = "SELECT id FROM campaign_tasks ORDER BY id DESC LIMIT 1"
EVERYBODY = json.dumps({"rule": {"everyone": True}, "channel": "email", "class": "marketing"})


async def waits(house: House) -> dict[str, Figure]:
    """Seconds of several reports of the newest task, and of several counts of everybody, with reasons."""
    [(task,)] = await house.rows(NEWEST)
    asked = {
        "its report": ("GET", f"/api/v1/tasks/{public_id(TASK, task)}/report", ""),
        "everybody counted, with reasons": ("POST", "/api/v1/audiences/count", EVERYBODY),
    }
    async with house.running("api"):
        wire = HttpConnection(house.api_port)
        key = house.stack.credentials.demo_key
        return {name: await _waits(wire, _request(*one, key)) for name, one in asked.items()}


async def _waits(wire: HttpConnection, request: bytes) -> Figure:
    """The first answers find nothing read yet, and are not counted."""
    for _ in range(MOST_TRIES):
        if await wire.ask(request) == HTTPStatus.OK:
            break
        await asyncio.sleep(1)
    seconds = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        assert await wire.ask(request) == HTTPStatus.OK
        seconds.append(time.monotonic() - began)
    return Figure(seconds)


def _request(method: str, path: str, body: str, key: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
