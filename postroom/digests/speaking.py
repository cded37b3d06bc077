"""Words for items whose notifications name a template, rendered before their digest is put together."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import Priority
from postroom.database.engine import Database
from postroom.rendering.casts import Repertoire, common_of
from postroom.rendering.renderer import Renderer, batches
from postroom.rendering.speech import Line, Words
from postroom.templates.casting import Casting
from postroom.templates.library import contents

# A line of a digest leads nowhere: its reader's links are those of the digest.
NOWHERE = {"unsubscribe_url": "", "preferences_url": ""}


@dataclass(frozen=True, slots=True)
class Speaker:
    """Speaks for items, as long as it has time."""

    database: Database
    renderer: Renderer
    patience: timedelta

    async def words(self, tenant_id: UUID, rows: Sequence[Mapping[str, Any]]) -> Mapping[UUID, Words]:
        """Return what items with a template say, by notification.

        One that cannot be rendered, or not in time, is left out: it is told by its type and time, and not lost.

        Raises:
            Unavailable: there is no renderer, or no database; nothing was done.
        """
        cast = await self._cast(tenant_id, [row for row in rows if row["template_id"]])
        lines, said = list(cast.values()), list[object]()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience.total_seconds()):
                for batch in batches(lines):
                    said += await self.renderer.speak(tenant_id, batch, Priority.LOW)
        return {one: words for one, words in zip(cast, said, strict=False) if isinstance(words, Words)}

    async def _cast(self, tenant_id: UUID, rows: Sequence[Mapping[str, Any]]) -> Mapping[UUID, Line]:
        """Find the version of each, and choose what it says to its person."""
        if not rows:
            return {}
        async with self.database.tenant_transaction(tenant_id) as connection:
            found = await contents(connection, sorted({(row["template_id"], row["template_version"]) for row in rows}))
            common = await common_of(connection, tenant_id)
        return {
            row["notification_id"]: Repertoire(tenant_id, content, common)
            .cast(Casting.of(row, NOWHERE), row["user_id"])
            .line
            for row in rows
            if (content := found.get((row["template_id"], row["template_version"])))
        }
