"""Files of contacts as SQLAlchemy sees the table, and the words about them."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postroom.database.tables import Table


class FileKind(StrEnum):
    """Which way contacts go."""

    IMPORT = "import"
    EXPORT = "contacts_export"


class FileState(StrEnum):
    """`open` while there is something to do; the last two are final."""

    RECEIVING = "receiving"
    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


class Mode(StrEnum):
    """What an import may do: make contacts, change them, or both."""

    UPSERT = "upsert"
    INSERT = "insert"
    UPDATE = "update"


class Outcome(StrEnum):
    """What became of a line of an import."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"  # the mode does not let it: the contact is there already, or is not
    SUPERSEDED = "superseded"  # a later line speaks of the same person
    REJECTED = "rejected"


class ContactFile(Table):
    """How far the reading or writing of a file is."""

    __tablename__ = "contact_files"

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB)
