"""What a caller asks of files of contacts, and reads about them."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.v1.body import Body
from postroom.contact_files.rows import Problem

EVERYONE = {"everyone": True}


class Delimiter(StrEnum):
    """What stands between two cells."""

    COMMA = "comma"
    SEMICOLON = "semicolon"
    TAB = "tab"

    @property
    def sign(self) -> str:
        """The character itself."""
        return {"comma": ",", "semicolon": ";", "tab": "\t"}[self.value]


class ContactsExportBody(Body):
    """Whom to export."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"rule": {"tags": {"any": ["vip"]}}}]})

    rule: dict[str, Any] = Field(
        default_factory=lambda: dict(EVERYONE), description="A recipient rule; by default everybody."
    )


class ImportCountsView(BaseModel):
    """The lines of an import by what became of them; they sum to its total in every answer."""

    open: int = Field(description="Not written yet.", examples=[0])
    created: int = Field(examples=[970])
    updated: int = Field(examples=[20])
    unchanged: int = Field(examples=[5])
    skipped: int = Field(description="What the mode does not let the import do.", examples=[0])
    superseded: int = Field(description="A later line speaks of the same person.", examples=[1])
    rejected: int = Field(examples=[4])
    cancelled: int = Field(examples=[0])

    @classmethod
    def of(cls, counts: dict[str, int], total: int, *, ended: bool) -> "ImportCountsView":
        """Put them together; what has not been counted waits, or will not be written any more."""
        names = ("created", "updated", "unchanged", "skipped", "superseded", "rejected")
        known = {name: counts.get(name, 0) for name in names}
        left = total - sum(known.values())
        return cls(**known, open=0 if ended else left, cancelled=left if ended else 0)


class ExportCountsView(BaseModel):
    """The contacts of an export; they sum to its total in every answer."""

    open: int = Field(examples=[0])
    exported: int = Field(examples=[1000])
    cancelled: int = Field(examples=[0])

    @classmethod
    def of(cls, counts: dict[str, int], total: int, *, ended: bool) -> "ExportCountsView":
        """Put them together; more people than were counted at first are only told at the end."""
        exported = min(counts.get("exported", 0), total)
        left = total - exported
        return cls(exported=exported, open=0 if ended else left, cancelled=left if ended else 0)


class RowErrorView(BaseModel):
    """What is to be told of a line: why it was not taken, or that a later one stands in its place."""

    line: int = Field(description="Counted from 1, which is the header.", examples=[17])
    column: str | None = Field(description="Null for the row as a whole.", examples=["email"])
    code: str = Field(examples=["invalid_recipient"])
    message: str = Field(examples=["This is not one plain e-mail address."])

    @classmethod
    def of(cls, problem: Problem) -> "RowErrorView":
        """Describe it."""
        return cls(line=problem.line, column=problem.column, code=problem.code, message=problem.message)


class RowErrorsView(BaseModel):
    """Some of them in the order of the file, and the cursor for the next ones."""

    items: list[RowErrorView]
    next_cursor: str | None = Field(examples=[None])
