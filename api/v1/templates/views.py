"""What a caller reads about templates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.v1.examples import HASH_EXAMPLE, KEY_EXAMPLE, TEMPLATE_EXAMPLE, TIME_EXAMPLE
from postroom.contracts.vocabulary import ChannelKind
from postroom.identity import API_KEY, TEMPLATE, public_id
from postroom.templates.content import Script, Variable, VariableType, Variant
from postroom.templates.records import Event, State, Template, Version
from postroom.templates.results import Result
from postroom.templates.service import Saved
from postroom.templates.writing import Warned

ACTIVE = "active"


class ScriptView(BaseModel):
    """The words in one language, as template source."""

    title: str | None = Field(examples=["Order {{ number }}"])
    text: str | None = Field(examples=["Hello {{ name }}, it is on its way."])
    html: str | None = Field(examples=[None])
    mjml: str | None = Field(examples=[None])

    @classmethod
    def of(cls, script: Script) -> "ScriptView":
        """Describe the words."""
        return cls(title=script.title, text=script.text, html=script.html, mjml=script.mjml)


class VariantView(BaseModel):
    """One way to say it, and how often it is said."""

    name: str = Field(examples=["default"])
    weight: int = Field(examples=[1])
    languages: Mapping[str, ScriptView]

    @classmethod
    def of(cls, variant: Variant) -> "VariantView":
        """Describe a variant."""
        languages = {tag: ScriptView.of(script) for tag, script in variant.languages.items()}
        return cls(name=variant.name, weight=variant.weight, languages=languages)


class VariableView(BaseModel):
    """A declared variable."""

    name: str = Field(examples=["number"])
    type: VariableType = Field(examples=["text"])
    required: bool
    default: Any = Field(examples=[None])
    description: str | None = Field(examples=[None])

    @classmethod
    def of(cls, one: Variable) -> "VariableView":
        """Describe a declaration."""
        return cls(
            name=one.name, type=one.type, required=one.required, default=one.default, description=one.description
        )


class VersionView(BaseModel):
    """What a template says in one version, and where that version stands."""

    version: int = Field(examples=[3])
    state: State = Field(examples=["approved"])
    content_hash: str = Field(examples=[HASH_EXAMPLE], description="What an approval is bound to.")
    language: str = Field(examples=["en"], description="The language to fall back to.")
    variants: list[VariantView]
    variables: list[VariableView]
    author: str | None = Field(examples=[KEY_EXAMPLE])
    approved_by: str | None = Field(examples=[KEY_EXAMPLE])
    approved_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, version: Version) -> "VersionView":
        """Describe a version."""
        return cls(
            version=version.number,
            state=version.state,
            content_hash=version.content_hash.hex(),
            language=version.content.default_language,
            variants=[VariantView.of(one) for one in version.content.variants],
            variables=[VariableView.of(one) for one in version.content.variables],
            author=_key(version.author),
            approved_by=_key(version.approved_by),
            approved_at=version.approved_at,
            created_at=version.created_at,
        )


class TemplateSummaryView(BaseModel):
    """A template as lists show it."""

    id: str = Field(examples=[TEMPLATE_EXAMPLE])
    name: str = Field(examples=["parcel-shipped"])
    channel: ChannelKind = Field(examples=["email"])
    status: str = Field(
        examples=[ACTIVE], description="`active` when a version is approved, else the state of the newest, or archived."
    )
    active_version: int | None = Field(examples=[2], description="The newest approved version, which is sent.")
    newest_version: int = Field(examples=[3])
    newest_state: State = Field(examples=["in_review"])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])
    archived_at: datetime | None = Field(examples=[None])

    @classmethod
    def summary(cls, template: Template) -> "TemplateSummaryView":
        """Describe one line of a list."""
        return cls(**_fields(template))


class TemplateView(TemplateSummaryView):
    """A template with its newest version."""

    newest: VersionView

    @classmethod
    def of(cls, template: Template, newest: Version) -> "TemplateView":
        """Describe a template."""
        return cls(**_fields(template), newest=VersionView.of(newest))


class WarningView(BaseModel):
    """Something that is allowed and probably not meant."""

    code: str = Field(examples=["variable_unused"])
    detail: str
    pointer: str = Field(examples=["/variables/1"])

    @classmethod
    def of(cls, warned: Warned) -> "WarningView":
        """Describe a warning."""
        return cls(code=warned.code, detail=warned.detail, pointer=warned.pointer)


class SavedView(TemplateView):
    """A template after it was saved."""

    warnings: list[WarningView]

    @classmethod
    def saved(cls, saved: Saved) -> "SavedView":
        """Describe what was saved."""
        return cls(
            **_fields(saved.template),
            newest=VersionView.of(saved.version),
            warnings=[WarningView.of(one) for one in saved.warnings],
        )


class TemplatesView(BaseModel):
    """Some templates, newest first, and the cursor for the next ones."""

    items: list[TemplateSummaryView]
    next_cursor: str | None = Field(examples=[None])


class VersionsView(BaseModel):
    """Some versions, newest first, and the cursor for the next ones."""

    items: list[VersionView]
    next_cursor: str | None = Field(examples=[None])


class EventView(BaseModel):
    """Who did what, when."""

    at: datetime = Field(examples=[TIME_EXAMPLE])
    kind: str = Field(examples=["approved"])
    version: int | None = Field(examples=[3])
    key_id: str | None = Field(examples=[KEY_EXAMPLE])
    detail: Mapping[str, Any] = Field(examples=[{"content_hash": HASH_EXAMPLE}])

    @classmethod
    def of(cls, event: Event) -> "EventView":
        """Describe a step."""
        return cls(
            at=event.at, kind=event.kind, version=event.version, key_id=_key(event.api_key_id), detail=event.detail
        )


class EventsView(BaseModel):
    """Some steps, newest first, and the cursor for the ones before."""

    items: list[EventView]
    next_cursor: str | None = Field(examples=[None])


class ResultView(BaseModel):
    """What became of the messages one variant said in one language; without both, of those not worded yet."""

    version: int = Field(examples=[3])
    variant: str | None = Field(examples=["short"])
    language: str | None = Field(examples=["de"])
    total: int = Field(examples=[120])
    counts: Mapping[str, int] = Field(examples=[{"accepted": 117, "rejected": 3}])

    @classmethod
    def of(cls, result: Result) -> "ResultView":
        """Describe a result."""
        return cls(
            version=result.version,
            variant=result.variant,
            language=result.language,
            total=sum(result.counts.values()),
            counts=result.counts,
        )


class ResultsView(BaseModel):
    """Deliveries by version, variant, language and state."""

    items: list[ResultView]

    @classmethod
    def of(cls, results: Sequence[Result]) -> "ResultsView":
        """Describe results."""
        return cls(items=[ResultView.of(one) for one in results])


def _fields(template: Template) -> dict[str, Any]:
    standing = ACTIVE if template.approved else str(template.newest_state)
    return {
        "id": public_id(TEMPLATE, template.id),
        "name": template.name,
        "channel": template.channel,
        "status": "archived" if template.deleted_at else standing,
        "active_version": template.approved,
        "newest_version": template.newest,
        "newest_state": template.newest_state,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
        "archived_at": template.deleted_at,
    }


def _key(key_id: UUID | None) -> str | None:
    return public_id(API_KEY, key_id) if key_id else None
