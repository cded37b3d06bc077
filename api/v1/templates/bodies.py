"""What a caller writes to save a template, in the simple shape and in the full one."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from api.v1.body import Body
from api.v1.fields import LongText, Word, as_field, bounded_json
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import Invalid
from postroom.templates.content import DEFAULT_VARIANT, Content, Script, Variable, VariableType, Variant
from postroom.templates.languages import canonical
from postroom.templates.records import check_name
from postroom.templates.writing import TEXTS, Written
from postroom.tenants.gate import Identity

DEFAULT_LANGUAGE = "en"
MOST_WEIGHT = 10_000

TemplateName = Annotated[Word, AfterValidator(as_field(check_name)), Field(examples=["parcel-shipped"])]


class SavedAs(StrEnum):
    """What a version shall be at once: a draft, or in use as soon as its review allows."""

    DRAFT = "draft"
    ACTIVE = "active"


class ScriptBody(Body):
    """The words in one language, as template source."""

    title: LongText | None = None
    subject: LongText | None = Field(default=None, description="The same as `title`.", examples=[None])
    text: LongText | None = None
    html: LongText | None = None
    mjml: LongText | None = None

    def script(self, pointer: str) -> Script:
        """Put the words together."""
        if self.title is not None and self.subject is not None:
            raise Invalid.at(f"{pointer}/subject", "title_or_subject", "Give a title or a subject, not both.")
        return Script(self.title or self.subject or None, self.text or None, self.html or None, self.mjml or None)

    def places(self, pointer: str, body: str | None = None) -> Mapping[str, str]:
        """Say where each text stands; `body` is where the texts below the title do, when elsewhere."""
        title = "subject" if self.subject is not None else "title"
        return {"title": f"{pointer}/{title}"} | {
            text: f"{pointer if body is None else body}/{text}" for text in TEXTS[1:]
        }


class WordsBody(Body):
    """A message's body as template source: text, and either HTML or MJML."""

    text: LongText | None = None
    html: LongText | None = None
    mjml: LongText | None = None


def _words(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


Words = Annotated[WordsBody, BeforeValidator(_words, json_schema_input_type=str | WordsBody)]
Languages = dict[Annotated[str, StringConstraints(max_length=64)], ScriptBody]


class VariantBody(Body):
    """One way to say it, and how often it is said."""

    name: Word = Field(examples=["friendly"])
    weight: Annotated[int, Field(ge=0, le=MOST_WEIGHT, strict=True)] = 1
    languages: Languages = Field(description="By language tag (BCP 47).")


class VariableBody(Body):
    """A declared variable; without a default it is required."""

    name: Annotated[str, StringConstraints(max_length=100)] = Field(examples=["name"])
    type: VariableType = VariableType.ANY
    required: bool | None = Field(default=None, examples=[None])
    default: Annotated[Any, AfterValidator(bounded_json)] = None
    description: Annotated[str, StringConstraints(max_length=500)] | None = None

    def variable(self) -> Variable:
        """Put the declaration together."""
        required = self.default is None if self.required is None else self.required
        return Variable(self.name, self.type, required, self.default, self.description)


def _declared(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


AnyVariable = Annotated[VariableBody, BeforeValidator(_declared, json_schema_input_type=str | VariableBody)]

SIMPLE: dict[str, Any] = {
    "name": "welcome",
    "channel": "email",
    "title": "Welcome to {{ company_name }}",
    "content": "Hello {{ user_name }}, good to have you.",
    "variables": ["user_name"],
    "status": "active",
}
FULL: dict[str, Any] = {
    "name": "parcel-shipped",
    "channel": "email",
    "language": "en",
    "variants": [
        {
            "name": "plain",
            "weight": 9,
            "languages": {
                "en": {"title": "Order {{ number }}", "text": "Hello {{ name }}, it is on its way."},
                "de": {"title": "Bestellung {{ number }}", "text": "Hallo {{ name }}, sie ist unterwegs."},
            },
        },
        {
            "name": "short",
            "weight": 1,
            "languages": {"en": {"title": "{{ number }} is on its way", "text": "Hello {{ name }}!"}},
        },
    ],
    "variables": [
        {"name": "number", "type": "text"},
        {"name": "name", "type": "text", "default": "there"},
    ],
}


class TemplateBody(Body):
    """A template: title and content in one language, or languages, or variants with languages of their own."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [SIMPLE, FULL]})

    tenant_id: Word | None = Field(default=None, description="Only the key's own tenant, for older callers.")
    name: TemplateName
    channel: ChannelKind
    title: LongText | None = None
    subject: LongText | None = Field(default=None, description="The same as `title`.", examples=[None])
    content: Words | None = None
    language: Annotated[str, AfterValidator(as_field(canonical))] = Field(
        default=DEFAULT_LANGUAGE, description="The language of title and content, or the one to fall back to."
    )
    languages: Languages | None = Field(default=None, description="By language tag (BCP 47).")
    variants: list[VariantBody] | None = None
    variables: list[AnyVariable] | None = Field(
        default=None, description="By name alone, or declared. Without this field, those that the sources use."
    )
    status: SavedAs | None = Field(default=None, description="`active` asks for review at once.")
    base_version: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="The newest version the caller knows; another one is a conflict.", examples=[None]
    )

    def written(self, identity: Identity) -> Written:
        """Put the fields together.

        Raises:
            Invalid: they contradict each other, or a language is none or stands twice.
        """
        if self.tenant_id is not None and not identity.is_named_by(self.tenant_id):
            raise Invalid.at("/tenant_id", "tenant_mismatch", "This is not the tenant of the key.")
        places = dict[str, str]()
        variants = tuple(self._variants(places))
        declared = tuple(one.variable() for one in self.variables or ())
        return Written(
            name=self.name,
            content=Content(self.channel.value, self.language, variants, declared),
            places=places,
            declares=self.variables is not None,
            as_draft=self.status is SavedAs.DRAFT,
            for_use=self.status is SavedAs.ACTIVE,
            base_version=self.base_version,
        )

    def _variants(self, places: dict[str, str]) -> Iterator[Variant]:
        shapes = [name for name in ("content", "languages", "variants") if getattr(self, name) is not None]
        if len(shapes) != 1:
            detail = "Give title and content, or languages, or variants."
            raise Invalid.at(f"/{shapes[1] if shapes else 'content'}", "template_shape", detail)
        if self.content is None and (self.title is not None or self.subject is not None):
            raise Invalid.at("/title", "template_shape", "Each language has a title of its own.")
        if self.content is not None:
            yield self._simple(self.content, places)
        elif self.languages is not None:
            yield _variant(VariantBody(name=DEFAULT_VARIANT, languages=self.languages), (0, "/languages"), places)
        for position, variant in enumerate(self.variants or ()):
            yield _variant(variant, (position, f"/variants/{position}/languages"), places)

    def _simple(self, content: WordsBody, places: dict[str, str]) -> Variant:
        script = ScriptBody(title=self.title, subject=self.subject, **content.model_dump())
        _put(places, f"/variants/0/languages/{self.language}", script.places("", "/content"))
        places["/variants/0/languages"] = "/language"
        return Variant(DEFAULT_VARIANT, 1, {self.language: script.script("")})


def _variant(body: VariantBody, place: tuple[int, str], places: dict[str, str]) -> Variant:
    position, pointer = place
    base, scripts = f"/variants/{position}/languages", dict[str, Script]()
    places[base] = pointer
    for asked, script in body.languages.items():
        where = f"{pointer}/{asked.replace('~', '~0').replace('/', '~1')}"
        try:
            tag = canonical(asked)
        except Invalid as error:
            raise Invalid.at(where, error.code, error.detail) from error
        if tag in scripts:
            raise Invalid.at(where, "duplicate_language", f"The language {tag} stands twice.")
        scripts[tag] = script.script(where)
        _put(places, f"{base}/{tag}", script.places(where))
    return Variant(body.name, body.weight, scripts)


def _put(places: dict[str, str], base: str, written: Mapping[str, str]) -> None:
    places |= {f"{base}/{text}": pointer for text, pointer in written.items()}
