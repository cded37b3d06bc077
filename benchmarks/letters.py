"""What the benchmarks send: an order mail of about three kilobytes, to a person of its own each time."""

import json
from collections.abc import Sequence

TITLE = "Your order A-1001 is on its way"
TEXT = "Hello,\n\n" + "Your parcel left our house this morning and arrives tomorrow before noon.\n" * 8
HTML = (
    "<html><body><h1>On its way</h1>"
    + "<p>Your parcel left <b>our house</b> this morning and arrives tomorrow before noon.</p>\n" * 26
    + '<p><a href="https://shop.example/orders/A-1001">Follow it</a></p></body></html>'
)

KEY = "@@key@@"
NAME = "@@name@@"


class Post:
    """Spells `POST` requests from a prepared text, so that the load generator spends its time elsewhere."""

    def __init__(self, path: str, bearer: str | None = None, priority: str = "medium") -> None:
        body = json.dumps(
            {
                "user_id": NAME,
                "channel": "email",
                "priority": priority,
                "title": TITLE,
                "content": {"text": TEXT, "html": HTML},
                "metadata": {"email": address(NAME), "order": "A-1001"},
                "notification_type": "order_shipped",
            }
        )
        self._body = body.encode()
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            + (f"Authorization: Bearer {bearer}\r\nIdempotency-Key: {KEY}\r\n" if bearer else "")
        ).encode()

    def to(self, name: str) -> bytes:
        """Return the whole request for one person; `name` is also its idempotency key."""
        spelt = name.encode()
        body = self._body.replace(NAME.encode(), spelt)
        return self._head.replace(KEY.encode(), spelt) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def batch(path: str, bearer: str, names: Sequence[str]) -> bytes:
    """Return the whole request for one batch; the people are known by their names."""
    body = json.dumps(
        {
            "user_ids": list(names),
            "channel": "email",
            "title": TITLE,
            "content": {"text": TEXT, "html": HTML},
            "notification_type": "order_shipped",
        }
    ).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {bearer}\r\nIdempotency-Key: {names[0]}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def address(name: str) -> str:
    """Where a person's mail goes."""
    return f"{name}@bench.example"
