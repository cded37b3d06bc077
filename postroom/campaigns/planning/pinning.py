"""Pins the contents of a task: which versions speak to its recipients, and the hash an approval of them is bound to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.campaigns.models import Task
from postroom.campaigns.planning.terms import Choice, choices_of, hash_of
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection
from postroom.errors import FieldError, Invalid, NotFound
from postroom.identity import TEMPLATE, public_id
from postroom.templates.content import read_variables
from postroom.templates.globals import globals_of
from postroom.templates.records import Ref
from postroom.templates.repository import NAMED
from postroom.templates.resolving import speaks
from postroom.templates.sets import found_set
from postroom.templates.variables import misfits

# The newest version whose approval is of its very content; or the one that is named, whatever became of it.
CHOSEN = f"""
SELECT t.id AS template_id, t.channel, v.version, v.variables, v.content_hash,
       v.state = 'approved' AND v.approved_hash = v.content_hash AS is_approved
FROM templates t
LEFT JOIN LATERAL (
    SELECT * FROM template_versions o
    WHERE o.template_id = t.id AND CASE WHEN %(version)s::integer IS NULL
        THEN o.state = 'approved' AND o.approved_hash = o.content_hash ELSE o.version = %(version)s END
    ORDER BY o.version DESC LIMIT 1) v ON true
WHERE {NAMED} AND t.deleted_at IS NULL
"""


# As they were pinned, in that order.
PINNED = """
SELECT v.content_hash, one.pin ->> 'label' AS label, (one.pin ->> 'weight')::integer AS weight
FROM jsonb_array_elements(%(pinned)s) WITH ORDINALITY AS one (pin, place)
JOIN template_versions v ON v.template_id = (one.pin ->> 'template_id')::uuid
    AND v.version = (one.pin ->> 'version')::integer
ORDER BY one.place
"""


@dataclass(frozen=True, slots=True)
class Pins:
    """The versions a task speaks with, as the row keeps them, and the hash of everything that is approved with them."""

    pinned: Sequence[Mapping[str, Any]]
    content_hash: bytes


async def pin(connection: Connection, task: Task) -> Pins:
    """Choose the version of each content; one that was submitted keeps those it was submitted with.

    Raises:
        Invalid: with a pointer to every content that is not there, not approved or for another channel, and to every
            variable that does not fit.
    """
    errors, pinned, contents = list[FieldError](), list[Mapping[str, Any]](), list[tuple[str, str, int]]()
    shared = await globals_of(connection, task.tenant_id)
    own = task.content.get("variables", {})
    for choice in await _choices(connection, task):
        row = await _chosen(connection, task.tenant_id, choice)
        wrong = list(_faults(row, choice, ChannelKind(task.channel)))
        errors += wrong
        if row is None or wrong:
            continue
        for one in misfits(read_variables(row["variables"]), shared, own):
            errors.append(FieldError(f"/content/variables/{one.variable}", one.reason, one.detail))
        pinned.append(
            {
                "template_id": str(row["template_id"]),
                "version": row["version"],
                "label": choice.label,
                "weight": choice.weight,
            }
        )
        contents.append((bytes(row["content_hash"]).hex(), choice.label, choice.weight))
    if errors:
        raise Invalid(errors[0].detail, code=errors[0].code, errors=list(dict.fromkeys(errors)))
    return Pins(pinned, hash_of(task, contents))


async def hash_with(connection: Connection, task: Task, rule: Mapping[str, Any]) -> bytes | None:
    """Return the hash a task has with another rule; None for one that has none, or whose terms are others by now."""
    found = await connection.execute(PINNED, {"pinned": Jsonb(task.pinned or [])})
    contents = [(bytes(row["content_hash"]).hex(), row["label"], row["weight"]) async for row in found]
    if task.content_hash is None or hash_of(task, contents) != task.content_hash:
        return None
    return hash_of(replace(task, rule=rule), contents)


async def _choices(connection: Connection, task: Task) -> Sequence[Choice]:
    asked = choices_of(task.content)
    if task.pinned is not None:
        return [
            Choice(
                public_id(TEMPLATE, UUID(one["template_id"])),
                asked[0 if asked[0].is_set else position].pointer,
                version=one["version"],
                label=one["label"],
                weight=one["weight"],
            )
            for position, one in enumerate(task.pinned)
        ]
    if not asked[0].is_set:
        return asked
    try:
        entries = (await found_set(connection, task.tenant_id, asked[0].text)).entries
    except NotFound:
        raise Invalid.at(asked[0].pointer, "template_not_found", "There is no such template set.") from None
    return [
        Choice(public_id(TEMPLATE, entry.template_id), asked[0].pointer, label=str(position))
        for position, entry in enumerate(entries, start=1)
    ]


async def _chosen(connection: Connection, tenant_id: UUID, choice: Choice) -> Mapping[str, Any] | None:
    ref = Ref.read(choice.text)
    asked = {"id": ref.id, "name": ref.name, "tenant_id": tenant_id, "version": choice.version}
    return await (await connection.execute(CHOSEN, asked)).fetchone()


def _faults(row: Mapping[str, Any] | None, choice: Choice, channel: ChannelKind) -> Iterator[FieldError]:
    if row is None:
        yield FieldError(choice.pointer, "template_not_found", "There is no such template.")
    elif not speaks(ChannelKind(row["channel"]), {channel}):
        detail = f"This template is written for {row['channel']}."
        yield FieldError(choice.pointer, "template_channel_mismatch", detail)
    elif row["version"] is None and choice.version is not None:
        place = choice.pointer.removesuffix("/template")
        pointer = choice.pointer if place == choice.pointer else f"{place}/version"
        yield FieldError(pointer, "template_version_not_found", "The template has no such version.")
    elif not row["is_approved"]:
        yield FieldError(choice.pointer, "template_not_approved", "No version of this that may be sent is approved.")
