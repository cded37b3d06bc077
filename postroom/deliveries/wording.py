"""Words for what was claimed with a template: rendered between claim and hand-off, outside any transaction."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.contracts.vocabulary import Priority
from postroom.database.engine import Connection, Database
from postroom.deliveries.claiming import Claimed
from postroom.deliveries.locking import lock_named
from postroom.errors import Unavailable
from postroom.identity import DELIVERY, public_id
from postroom.rendering.casts import Cast, Common, Repertoire, common_of
from postroom.rendering.renderer import Renderer, batches
from postroom.rendering.speech import Line, Words
from postroom.rendering.trouble import Code, Trouble
from postroom.templates.content import Content
from postroom.templates.library import contents
from postroom.tracking.dressing import Dresser

log = logging.getLogger(__name__)

KEPT = 50  # contents of versions, which never change and have up to 2 MB each
UNAPPROVED = Trouble("template_not_approved", "Nobody approved this version as it stands.")

Told = tuple[Claimed, Cast]
Untold = tuple[Claimed, Cast | None, Trouble]

# In id order, as every statement that locks deliveries.
CHOSEN = """
WITH chosen AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[], %(variants)s::text[], %(languages)s::text[])
        AS chosen (id, token, variant, language)
), locked AS MATERIALIZED (
    SELECT d.id FROM deliveries d JOIN chosen USING (id) ORDER BY d.id FOR NO KEY UPDATE OF d
)
UPDATE deliveries d SET template_variant = c.variant, language = c.language
FROM chosen c JOIN locked USING (id)
WHERE d.id = c.id AND d.token = c.token
    AND (d.template_variant, d.language) IS DISTINCT FROM (c.variant, c.language)
"""

# Only while the claim is ours: what was cancelled or claimed by another pass meanwhile is left alone.
FAIL = """
WITH wordless AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[], %(reasons)s::text[], %(details)s::jsonb[])
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
    """Words pages; knows the versions it has worded before."""

    def __init__(self, database: Database, renderer: Renderer, dresser: Dresser) -> None:
        self._database = database
        self._renderer = renderer
        self._dresser = dresser
        self._contents: OrderedDict[tuple[UUID, UUID, int], Content] = OrderedDict()

    async def word(self, tenant_id: UUID, priority: Priority, claimed: Sequence[Claimed], until: float) -> Worded:
        """Give words to what has a casting; `until`, on the loop's clock, ends the rendering, not the message.

        A template that cannot be rendered ends its delivery here, with its reason and place.
        """
        worded = Worded([item for item in claimed if item.casting is None])
        cast, untold = await self._cast(tenant_id, [item for item in claimed if item.casting])
        spoken = await self._spoken(tenant_id, priority, [one.line for _, one in cast], until)
        for (item, one), words in zip(cast, spoken, strict=False):
            if isinstance(words, Words):
                worded.ready.append(_with_words(item, words))
            else:
                untold.append((item, one, words))
        worded.ready = await self._dressed(tenant_id, worded.ready)
        worded.failed = len(untold)
        worded.given_back = [item for item, _ in cast[len(spoken) :]]
        if spoken or untold:
            await self._write(tenant_id, cast[: len(spoken)], untold)
        return worded

    async def _dressed(self, tenant_id: UUID, ready: Sequence[Claimed]) -> list[Claimed]:
        """Lead the links of tracked mail over the house."""
        parcels = await self._dresser.dress(tenant_id, [item.parcel for item in ready])
        return [
            item if parcel is item.parcel else replace(item, parcel=parcel)
            for item, parcel in zip(ready, parcels, strict=True)
        ]

    async def _cast(self, tenant_id: UUID, items: Sequence[Claimed]) -> tuple[list[Told], list[Untold]]:
        """Find the version of each, and choose for each person; what was never approved is said to nobody."""
        common = await self._load(tenant_id, items)
        cast, untold = list[Told](), list[Untold]()
        for item in items:
            one = self._for_person(tenant_id, item, common)
            if isinstance(one, Trouble):
                untold.append((item, None, one))
            elif one:
                cast.append((item, one))
        return cast, untold

    def _for_person(self, tenant_id: UUID, item: Claimed, common: Common) -> Cast | Trouble | None:
        if item.casting is None:
            return None
        content = self._contents.get((tenant_id, item.casting.template_id, item.casting.version))
        if content is None:
            return UNAPPROVED
        recipient = item.parcel.user_id or str(item.parcel.notification_id or item.parcel.delivery_id)
        try:
            return Repertoire(tenant_id, content, common).cast(item.casting, recipient)
        except Exception:  # a fault of ours with one content must not stop its neighbours
            log.exception("nothing could be chosen for %s", public_id(DELIVERY, item.claim.delivery_id))
            return Trouble(Code.VALUE, "Nothing could be chosen to say.")

    async def _load(self, tenant_id: UUID, items: Sequence[Claimed]) -> Common:
        """Read the versions that are not known yet, and return what the tenant's templates share now."""
        wanted = {(tenant_id, item.casting.template_id, item.casting.version) for item in items if item.casting}
        unknown = [(template_id, version) for _, template_id, version in sorted(wanted - self._contents.keys())]
        async with self._database.tenant_transaction(tenant_id) as connection:
            found = await contents(connection, unknown)
            common = await common_of(connection, tenant_id)
        self._contents |= {(tenant_id, *pin): content for pin, content in found.items()}
        for key in wanted & self._contents.keys():
            self._contents.move_to_end(key)
        while len(self._contents) > max(KEPT, len(wanted)):
            self._contents.popitem(last=False)
        return common

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

    async def _write(self, tenant_id: UUID, told: Sequence[Told], untold: Sequence[Untold]) -> None:
        """Write what was chosen for everybody, and end what nobody can be told; notifications are locked first."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            if untold:
                await lock_named(connection, [one for item, _, _ in untold if (one := item.parcel.notification_id)])
            await connection.execute(
                CHOSEN,
                {
                    "ids": [item.claim.delivery_id for item, _ in told],
                    "tokens": [item.claim.token for item, _ in told],
                    "variants": [one.variant for _, one in told],
                    "languages": [one.language for _, one in told],
                },
            )
            if untold:
                await _fail(connection, untold)


async def _fail(connection: Connection, untold: Sequence[Untold]) -> None:
    await connection.execute(
        FAIL,
        {
            "ids": [item.claim.delivery_id for item, _, _ in untold],
            "tokens": [item.claim.token for item, _, _ in untold],
            "reasons": [trouble.code for _, _, trouble in untold],
            "details": [Jsonb(_place(cast, trouble)) for _, cast, trouble in untold],
        },
    )


def _place(cast: Cast | None, trouble: Trouble) -> dict[str, Any]:
    """Where it went wrong; never with what."""
    place = {name: value for name, value in trouble.plain().items() if name not in {"code", "detail"}}
    return place | ({"variant": cast.variant, "language": cast.language} if cast else {})


def _with_words(item: Claimed, words: Words) -> Claimed:
    parcel = replace(item.parcel, title=words.title, body_text=words.text, body_html=words.html)
    return replace(item, parcel=parcel, casting=None)
