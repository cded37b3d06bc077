"""Letters as a shop sends them, to be judged."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from postroom.channels.base import Bulk, Enclosure, Parcel
from postroom.identity import new_id

TENANT = UUID(int=7)
SHOP = "Corner Shop <orders@postroom.example>"
ORDER = """Hello Ada,

your order A-1001 left our warehouse this morning. The parcel service will bring it on Tuesday between
nine and twelve. You can follow it in your account, under "Orders".

Thank you for buying from us, and good reading.

Corner Shop, 12 Mill Lane, Cambridge CB1 2AB
"""
NEWS = """Hello Ada,

this month we have put three new books on the shelf by the window: a history of lighthouses, a cookbook from
the Azores, and the second volume of the letters that so many of you asked for. All three can be read in the
shop over a cup of tea before you decide.

On Thursday the 26th the author of the first one is here at seven in the evening. Seats are few; please tell
us if you come.

Corner Shop, 12 Mill Lane, Cambridge CB1 2AB
You get this letter because you asked for it. Unsubscribe: https://postroom.example/u/f3a9c1
"""


def _html(text: str) -> str:
    paragraphs = "".join(f"<p>{part.strip()}</p>\n" for part in text.split("\n\n"))
    return f'<!DOCTYPE html>\n<html lang="en"><head><title>Letter</title></head>\n<body>\n{paragraphs}</body></html>\n'


def letters() -> dict[str, Parcel]:
    """One of each kind that a shop sends."""
    news: dict[str, Any] = {
        "title": "Three new books, and an evening in the shop",
        "body_text": NEWS,
        "body_html": _html(NEWS),
        "unsubscribe_url": "https://postroom.example/u/f3a9c1",
        "bulk": Bulk(new_id(), new_id(), 1, reply_to="Corner Shop <hello@postroom.example>"),
    }
    invoice = Enclosure("Rechnung März.pdf", "application/pdf", b"%PDF-1.4\n" + bytes(range(256)) * 80)
    return {
        "order, plain": _letter(title="Your order A-1001 is on its way", body_text=ORDER),
        "order, HTML": _letter(title="Your order A-1001 is on its way", body_text=ORDER, body_html=_html(ORDER)),
        "invoice": _letter(title="Ihre Rechnung für März", body_text=ORDER, enclosures=(invoice,)),
        "newsletter": _letter(**news),
        "newsletter, Japanese": _letter(
            **news
            | {
                "title": "新しい本が三冊届きました",
                "body_text": "エイダ様\n\n今月は新しい本が三冊入りました。\n",
                "body_html": _html("エイダ様\n\n今月は新しい本が三冊入りました。"),
            }
        ),
    }


def _letter(**content: Any) -> Parcel:
    return Parcel(
        delivery_id=new_id(),
        notification_id=None,
        tenant_id=TENANT,
        address="ada@reader.example.com",
        sender=SHOP,
        resolved_at=datetime.now(UTC),
        **content,
    )
