"""What a caller writes and reads about tags."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.v1.body import Body
from api.v1.fields import UserId, Word
from postroom.contacts.tagging import Moved, Tagged

PEOPLE = 10_000
TOLD = 100
People = Annotated[list[UserId], Field(max_length=PEOPLE)]


class TaggingBody(Body):
    """Who gets a tag, and who loses it; who is named in both gets it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"add": ["user_123", "user_124"], "remove": ["user_125"]}]}
    )

    add: People = Field(default_factory=list)
    remove: People = Field(default_factory=list)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not 1 <= len(self.add) + len(self.remove) <= PEOPLE:
            raise PydanticCustomError("out_of_range", f"Name from 1 to {PEOPLE} people.")
        return self


class TagBody(Body):
    """What a tag is to be called."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "customers"}]})

    name: Word


class TagView(BaseModel):
    """A tag, and how many people have it."""

    tag: str = Field(examples=["newsletter"])
    contacts: int = Field(examples=[1203])


class TagsView(BaseModel):
    """A page of tags, by name."""

    items: list[TagView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


class TaggedView(BaseModel):
    """How many people got the tag who had not had it, how many lost it, and who is no contact."""

    tag: str = Field(examples=["newsletter"])
    added: int = Field(examples=[2])
    removed: int = Field(examples=[1])
    unknown: int = Field(examples=[1], description="How many of those named are no contacts.")
    unknown_user_ids: list[str] = Field(examples=[["user_999"]], description=f"The first {TOLD} of them.")

    @classmethod
    def of(cls, tag: str, tagged: Tagged) -> Self:
        """Describe what was done."""
        unknown = tagged.unknown
        return cls(
            tag=tag,
            added=tagged.added,
            removed=tagged.removed,
            unknown=len(unknown),
            unknown_user_ids=list(unknown[:TOLD]),
        )


class MovedView(BaseModel):
    """How many people this request was about, and whether it was all of them."""

    tag: str = Field(examples=["customers"])
    contacts: int = Field(examples=[1203])
    done: bool = Field(examples=[True], description="False when there are more: repeat the request.")

    @classmethod
    def of(cls, tag: str, moved: Moved) -> Self:
        """Describe what was done."""
        return cls(tag=tag, contacts=moved.contacts, done=moved.done)
