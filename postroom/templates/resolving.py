"""From the name of a template to the version that speaks: asked once, when a notification is accepted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.errors import Invalid, NotFound
from postroom.identity import TEMPLATE_SET, parse_id
from postroom.templates.content import Variable, read_variables
from postroom.templates.repository import NAMED
from postroom.templates.selection import draw
from postroom.templates.using import Use

# The newest version whose approval is of its very content.
APPROVED = """
LEFT JOIN LATERAL (
    SELECT v.version, v.variables FROM template_versions v
    WHERE v.template_id = t.id AND v.state = 'approved' AND v.approved_hash = v.content_hash
    ORDER BY v.version DESC LIMIT 1) a ON true
"""
COLUMNS = """
t.id AS template_id, t.channel, a.version, a.variables,
(SELECT value FROM tenant_settings WHERE tenant_id = %(tenant_id)s AND name = 'variables') AS shared
"""
ONE = f"""
SELECT {COLUMNS}, NULL::uuid AS set_id FROM templates t {APPROVED}
WHERE {NAMED} AND t.deleted_at IS NULL
"""
SET_NAMED = """s.id = (SELECT coalesce(%(id)s, (
    SELECT o.id FROM template_sets o WHERE o.tenant_id = %(tenant_id)s AND o.name = %(name)s)))"""
SET = f"""
SELECT {COLUMNS}, s.id AS set_id FROM template_sets s
CROSS JOIN LATERAL jsonb_array_elements(s.entries) WITH ORDINALITY AS e (entry, position)
LEFT JOIN LATERAL (
    SELECT * FROM templates WHERE id = (e.entry ->> 'template_id')::uuid AND deleted_at IS NULL LIMIT 1) t ON true
{APPROVED}
WHERE {SET_NAMED}
ORDER BY e.position
"""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A version that may be sent, and what it declares."""

    template_id: UUID
    version: int
    declared: Sequence[Variable]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The versions to choose from, one but for a set, and the names that the tenant's own variables fill."""

    choices: Sequence[Pinned]
    shared: Collection[str] = ()
    set_id: UUID | None = None

    def pick(self, recipient: str) -> Pinned:
        """Return a recipient's version: out of a set ever the same entry, and all entries alike often."""
        if self.set_id is None:
            return self.choices[0]
        return self.choices[draw(self.set_id.hex, recipient) % len(self.choices)]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Self:
        """Read rows whose versions are all there."""
        choices = [Pinned(row["template_id"], row["version"], read_variables(row["variables"])) for row in rows]
        return cls(choices, frozenset(rows[0]["shared"] or ()), rows[0]["set_id"])


async def resolve(database: Database, tenant_id: UUID, use: Use, channels: Collection[ChannelKind]) -> Resolved:
    """Find the newest approved version of what is named, in one statement.

    Raises:
        Invalid: there is no such template, none of its versions is approved, or it is for another channel.
    """
    statement, named = (SET, _set_named(use.text)) if use.is_set else (ONE, {"id": use.ref.id, "name": use.ref.name})
    async with database.tenant_transaction(tenant_id) as connection:
        rows = await (await connection.execute(statement, {"tenant_id": tenant_id, **named})).fetchall()
    what = "template set" if use.is_set else "template"
    if not rows or any(row["template_id"] is None for row in rows):
        raise Invalid.at(use.pointer, "template_not_found", f"There is no such {what}.")
    if any(row["version"] is None for row in rows):
        raise Invalid.at(use.pointer, "template_not_approved", f"Not every version this {what} needs is approved.")
    for row in rows:
        if not speaks(ChannelKind(row["channel"]), channels):
            detail = f"This {what} is written for {row['channel']}."
            raise Invalid.at(use.pointer, "template_channel_mismatch", detail)
    return Resolved.of(rows)


def speaks(channel: ChannelKind, wanted: Collection[ChannelKind]) -> bool:
    """Tell whether words for one channel go over all that are wanted.

    It must be one of them. Words for e-mail, which have a title and a body, go over the others too; no others go
    over e-mail.
    """
    return channel in wanted and (channel is ChannelKind.EMAIL or ChannelKind.EMAIL not in wanted)


def _set_named(text: str) -> dict[str, UUID | str | None]:
    try:
        return {"id": parse_id(TEMPLATE_SET, text), "name": None}
    except NotFound:
        return {"id": None, "name": text}
