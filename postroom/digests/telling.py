"""What a digest says: its type's own template with the items as variables, or else the house's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.digests.items import Line
from postroom.digests.wording import Reader, word
from postroom.identity import NOTIFICATION, public_id
from postroom.templates.content import read_variables
from postroom.templates.variables import misfits


@dataclass(frozen=True, slots=True)
class Telling:
    """The contents of a digest's notification: words, or a version of a template and its variables."""

    title: str | None = None
    text: str | None = None
    html: str | None = None
    template_id: UUID | None = None
    version: int | None = None
    variables: Jsonb | None = None


def tell(reader: Mapping[str, Any], lines: Sequence[Line], count: int) -> Telling:
    """Say what `count` items come to, of which `lines` are spelled out.

    `reader` has the digest's `notification_type`, the person's `language` and `time_zone`, and the `template_id`,
    `template_version` and `declared` variables of what its type names, if anything; `shared` are the tenant's own.
    """
    if reader["template_id"]:
        variables = {"count": count, "overflow": count - len(lines), "items": [_item(line) for line in lines]}
        if _is_enough(reader, variables):
            return Telling(
                template_id=reader["template_id"], version=reader["template_version"], variables=Jsonb(variables)
            )
    words = word(Reader(reader["notification_type"], reader["language"], reader["time_zone"]), lines, count)
    return Telling(words.title, words.text, words.html)


def _is_enough(reader: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    """Whether the template can speak of a digest: one that wants to know more would tell nobody anything."""
    return not any(misfits(read_variables(reader["declared"]), reader["shared"] or (), variables))


def _item(line: Line) -> dict[str, Any]:
    return {
        "title": line.title,
        "text": line.text,
        "created_at": line.created_at.isoformat(),
        "notification_id": public_id(NOTIFICATION, line.notification_id),
    }
