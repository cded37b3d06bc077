"""The versions of templates that a run speaks with, as the database keeps them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from postroom.templates.resolving import Pinned, Resolved


def spelled(found: Resolved) -> dict[str, Any]:
    """Spell versions for the database."""
    choices = [[one.template_id.hex, one.version] for one in found.choices]
    return {"choices": choices, "set_id": found.set_id and found.set_id.hex}


def read_pins(stored: Mapping[str, Any] | None) -> Resolved | None:
    """Read versions back; what they declare has been looked at before."""
    if stored is None:
        return None
    choices = [Pinned(UUID(hex=one), version, ()) for one, version in stored["choices"]]
    return Resolved(choices, set_id=UUID(hex=stored["set_id"]) if stored["set_id"] else None)
