"""Words for what was claimed with a template: rendered between claim and hand-off, outside any transaction."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.channels.base import Parcel
from postroom.contracts.vocabulary import Priority
from postroom.database.arrays import Texts, Uuids
from postroom.database.engine import Database
from postroom.deliveries.claiming import Claimed
from postroom.deliveries.locking import lock_named
from postroom.errors import Unavailable
from postroom.person_pages.footers import with_footer
from postroom.rendering.casts import Cast
from postroom.rendering.renderer import Renderer, batches
from postroom.rendering.speech import Line, Words
from postroom.rendering.trouble import Trouble
from postroom.tracking.dressing import Dresser

log = logging.getLogger(__name__)

Told = tuple[Claimed, Cast]
Untold = tuple[Claimed, Cast | None, Trouble]

# Only while the claim is ours: what was cancelled or claimed by another pass meanwhile is left alone. In id order, as
# every statement that locks deliveries.
FAIL = """
WITH wordless AS (
    SELECT * FROM unnest(%(ids)b::uuid[], %(tokens)b::uuid[], %(reasons)b::text[], %(details)s::jsonb[])
        AS wordless (id, token, reason, detail)
), locked AS MATERIALIZED (
    SELECT d.id FROM deliveries d JOIN wordless USING (id) ORDER BY d.id FOR NO KEY UPDATE OF d
), failed AS (
    UPDATE deliveries d SET state = 'failed', reason = f.reason, token = NULL, ended_at = now()
    FROM wordless f JOIN locked USING (id)
    WHERE d.id = f.id AND d.state = 'claimed' AND d.token = f.token
    RETURNING d.notification_id, d.tenant_id, d.channel, f.reason, f.detail
)
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT notification_id, tenant_id, 'no_words', reason, detail || jsonb_build_object('channel', channel) FROM failed
WHERE notification_id IS NOT NULL
"""


@dataclass(slots=True)
class Worded:
    """What can be handed off now, how many nobody can be told, and what is given back because we could not speak."""

    ready: list[Claimed] = field(default_factory=list)
    failed: int = 0
    given_back: list[Claimed] = field(default_factory=list)


class Wording:
    """Words pages."""

    def __init__(self, database: Database, renderer: Renderer, dresser: Dresser) -> None:
        self._database = database
        self._renderer = renderer
        self._dresser = dresser

    async def word(self, tenant_id: UUID, priority: Priority, claimed: Sequence[Claimed], until: float) -> Worded:
        """Give words to what has a cast; `until`, on the loop's clock, ends the rendering, not the message.

        A template that cannot be rendered ends its delivery here, with its reason and place.
        """
        worded = Worded()
        ready = [(item, _own_words(item.parcel)) for item in claimed if item.cast is None]
        cast: list[Told] = [(item, item.cast) for item in claimed if isinstance(item.cast, Cast)]
        untold: list[Untold] = [(item, None, item.cast) for item in claimed if isinstance(item.cast, Trouble)]
        spoken = await self._spoken(tenant_id, priority, [one.line for _, one in cast], until)
        for (item, one), words in zip(cast, spoken, strict=False):
            if isinstance(words, Words):
                ready.append((item, with_footer(item.parcel, words, one.language)))
            else:
                untold.append((item, one, words))
        worded.ready = await self._dressed(tenant_id, ready)
        worded.failed = len(untold)
        worded.given_back = [item for item, _ in cast[len(spoken) :]]
        if untold:
            await self._fail(tenant_id, untold)
        return worded

    async def _dressed(self, tenant_id: UUID, ready: Sequence[tuple[Claimed, Words]]) -> list[Claimed]:
        """Lead the links of tracked mail over the house, and put the words where they belong."""
        dressed = await self._dresser.dress(tenant_id, [(item.parcel, words) for item, words in ready])
        return [
            Claimed(item.claim, _telling(item.parcel, words), item.enclosures)
            for (item, _), words in zip(ready, dressed, strict=True)
        ]

    async def _spoken(
        self, tenant_id: UUID, priority: Priority, lines: Sequence[Line], until: float
    ) -> list[Words | Trouble]:
        """Speak as many as there is time for."""
        spoken: list[Words | Trouble] = []
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                for batch in batches(lines):
                    try:
                        spoken += await self._renderer.speak(tenant_id, batch, Priority(priority))
                    except Unavailable:
                        log.warning("%d messages wait for a renderer", len(lines) - len(spoken))
                        break
        return spoken

    async def _fail(self, tenant_id: UUID, untold: Sequence[Untold]) -> None:
        """End what nobody can be told; notifications are locked first."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            await lock_named(connection, [one for item, _, _ in untold if (one := item.parcel.notification_id)])
            await connection.execute(
                FAIL,
                {
                    "ids": Uuids(item.claim.delivery_id for item, _, _ in untold),
                    "tokens": Uuids(item.claim.token for item, _, _ in untold),
                    "reasons": Texts(trouble.code for _, _, trouble in untold),
                    "details": [Jsonb(_place(cast, trouble)) for _, cast, trouble in untold],
                },
            )


def _own_words(parcel: Parcel) -> Words:
    return with_footer(parcel, Words(parcel.title, parcel.body_text, parcel.body_html), None)


def _telling(parcel: Parcel, words: Words) -> Parcel:
    return replace(parcel, title=words.title, body_text=words.text, body_html=words.html)


def _place(cast: Cast | None, trouble: Trouble) -> dict[str, Any]:
    """Where it went wrong; never with what."""
    place = {name: value for name, value in trouble.plain().items() if name not in {"code", "detail"}}
    return place | ({"variant": cast.variant, "language": cast.language} if cast else {})
