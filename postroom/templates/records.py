"""Templates, versions and events as the database keeps them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from postroom.errors import Invalid, NotFound
from postroom.identity import TEMPLATE, TEMPLATE_SET, parse_id
from postroom.templates.content import Content

LIKE_AN_ID = re.compile(rf"(?:{TEMPLATE}|{TEMPLATE_SET})_[0-9a-f]{{32}}")


class State(StrEnum):
    """Where a version stands; only an approved one is chosen for what is accepted from now on."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Ref:
    """How a caller names a template: by its id, or by its name."""

    id: UUID | None
    name: str | None

    @classmethod
    def read(cls, text: str) -> Self:
        """Take what is spelled like an id as one, and everything else as a name."""
        try:
            return cls(parse_id(TEMPLATE, text), None)
        except NotFound:
            return cls(None, text)


def check_name(name: str) -> str:
    """Return a name that a path can hold and nobody mistakes for an id.

    Raises:
        Invalid: it is none.
    """
    if "/" in name or "\\" in name or not name.strip(".") or name != name.strip() or LIKE_AN_ID.fullmatch(name):
        detail = "A name has no slash, no outer blanks, and does not look like an id."
        raise Invalid(detail, code="invalid_name")
    return name


@dataclass(frozen=True, slots=True)
class Template:
    """A template without its words; `newest` is its last version, `approved` the one that is sent."""

    id: UUID
    name: str
    channel: str
    newest: int
    newest_state: State
    approved: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read a row."""
        return cls(**{**row, "newest_state": State(row["newest_state"])})


@dataclass(frozen=True, slots=True)
class Version:
    """What a template says, once and for all, and what became of it."""

    template_id: UUID
    number: int
    state: State
    content: Content
    content_hash: bytes
    author: UUID | None
    approved_by: UUID | None
    approved_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read a row."""
        return cls(**{**row, "state": State(row["state"]), "content": Content.read(row["content"])})


@dataclass(frozen=True, slots=True)
class Event:
    """One step in the life of a template: who (an API key) did what, when, with which version."""

    id: int
    at: datetime
    kind: str
    version: int | None
    api_key_id: UUID | None
    detail: Mapping[str, Any]
