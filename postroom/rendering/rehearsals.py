"""Rehearsals of a template: previews for somebody, and a preflight over every variant and language."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.errors import FieldError, Invalid, NotFound
from postroom.person_pages.links import Links
from postroom.rendering.casts import Cast, Repertoire, common_of
from postroom.rendering.preflight import Finding, findings
from postroom.rendering.renderer import Renderer, in_time
from postroom.rendering.speech import Words
from postroom.rendering.trouble import Trouble
from postroom.templates import repository
from postroom.templates.casting import Casting
from postroom.templates.content import Content
from postroom.templates.records import Ref

SPEAKERS = 200  # variants times languages that one preflight looks at

CONTACT = """
SELECT language, time_zone, attributes FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """For whom, and with what, a template is rehearsed; without a variant it is the one this person would get."""

    variables: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    variant: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What is rehearsed: a version that is kept, or a content that is not yet."""

    content: Content
    template_id: UUID
    version: int = 0

    @classmethod
    def unsaved(cls, content: Content) -> "Work":
        """Take a content that nobody has kept; its hash tells it from any other."""
        return cls(content, UUID(bytes=content.hash[:16]))


@dataclass(frozen=True, slots=True)
class Preview:
    """The words somebody would get."""

    channel: str
    variant: str
    language: str
    words: Words


@dataclass(frozen=True, slots=True)
class Remark:
    """What a preflight has to say about one variant in one language."""

    variant: str
    language: str | None
    finding: Finding
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Flight:
    """All remarks, and the words that could be spoken."""

    remarks: Sequence[Remark]
    previews: Sequence[Preview]


class Rehearsals:
    """Rehearses for one process; reads, and writes nothing."""

    def __init__(self, database: Database, renderer: Renderer, public_url: str) -> None:
        self._database = database
        self._links = Links(f"{public_url}/u/preview", f"{public_url}/p/preview")  # what they lead to says so
        self._renderer = renderer

    async def work(self, tenant_id: UUID, ref: Ref, number: int | None) -> Work:
        """Find a version, the newest when none is named.

        Raises:
            NotFound: the tenant has no such template, or no such version of it.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            template = await repository.find(connection, tenant_id, ref)
            if template is None:
                raise NotFound("There is no such template.")
            version = await repository.version_of(connection, template.id, number or template.newest)
        if version is None:
            raise NotFound("There is no such version.")
        return Work(version.content, template.id, version.number)

    async def preview(self, tenant_id: UUID, work: Work, wish: Wish) -> Preview:
        """Speak to one person.

        Raises:
            Invalid: it cannot be spoken, with the place in its source; or there is no such contact or variant.
        """
        repertoire, casting = await self._prepared(tenant_id, work, wish)
        cast = self._cast(repertoire, casting, wish)
        [spoken] = await in_time(self._renderer.speak(tenant_id, [cast.line]))
        if isinstance(spoken, Trouble):
            raise _refusal(work.content, cast, spoken)
        return Preview(work.content.channel, cast.variant, cast.language, spoken)

    async def preflight(self, tenant_id: UUID, work: Work, wish: Wish) -> Flight:
        """Speak every variant in each of its languages, and look at what comes of it.

        Raises:
            Invalid: there is no such contact, or too much to look at.
        """
        repertoire, casting = await self._prepared(tenant_id, work, wish)
        casts = [
            repertoire.staged(replace(variant, languages={tag: variant.languages[tag]}), replace(casting, language=tag))
            for variant in work.content.variants
            for tag in variant.languages
        ]
        if len(casts) > SPEAKERS:
            raise Invalid(f"At most {SPEAKERS} languages of all variants together.", code="too_many")
        remarks, previews = list(_missing_languages(work.content)), list[Preview]()
        every = await in_time(self._renderer.speak(tenant_id, [one.line for one in casts]))
        for cast, spoken in zip(casts, every, strict=True):
            remarks += _remarks(cast, spoken)
            if isinstance(spoken, Words):
                previews.append(Preview(work.content.channel, cast.variant, cast.language, spoken))
        return Flight(remarks, previews)

    async def _prepared(self, tenant_id: UUID, work: Work, wish: Wish) -> tuple[Repertoire, Casting]:
        async with self._database.tenant_transaction(tenant_id) as connection:
            common = await common_of(connection, tenant_id)
            person = await _contact(connection, tenant_id, wish.user_id) if wish.user_id is not None else {}
        casting = Casting(
            work.template_id,
            work.version,
            wish.variables,
            wish.language,
            person.get("language"),
            person.get("time_zone"),
            person.get("attributes") or {},
            self._links.named(),
        )
        return Repertoire(tenant_id, work.content, common), casting

    def _cast(self, repertoire: Repertoire, casting: Casting, wish: Wish) -> Cast:
        if wish.variant is None:
            return repertoire.cast(casting, wish.user_id or "")
        for variant in repertoire.content.variants:
            if variant.name == wish.variant:
                return repertoire.staged(variant, casting)
        raise Invalid.at("/variant", "variant_not_found", "There is no such variant.")


async def _contact(connection: Connection, tenant_id: UUID, user_id: str) -> Mapping[str, Any]:
    row = await (await connection.execute(CONTACT, {"tenant_id": tenant_id, "user_id": user_id})).fetchone()
    if row is None:
        raise Invalid.at("/user_id", "contact_not_found", "There is no such contact.")
    return row


def _refusal(content: Content, cast: Cast, trouble: Trouble) -> Invalid:
    """Say where in the content it is, as a pointer into its canonical spelling."""
    position = [variant.name for variant in content.variants].index(cast.variant)
    pointer = f"/variants/{position}/languages/{cast.language}" + (f"/{trouble.field}" if trouble.field else "")
    detail = _sentence(trouble)
    return Invalid(
        detail,
        code=trouble.code,
        errors=[FieldError(pointer, trouble.code, detail, trouble.line, trouble.column)],
    )


def _sentence(trouble: Trouble) -> str:
    return f"{trouble.variable}: {trouble.detail}" if trouble.variable else trouble.detail


def _missing_languages(content: Content) -> Iterator[Remark]:
    every = {tag for variant in content.variants for tag in variant.languages}
    for variant in content.variants:
        for tag in sorted(every - variant.languages.keys()):
            detail = f"Other variants speak {tag}; this one falls back to another language."
            yield Remark(variant.name, tag, Finding("language_missing", detail, "title"))


def _remarks(cast: Cast, spoken: Words | Trouble) -> Iterator[Remark]:
    if isinstance(spoken, Trouble):
        finding = Finding(spoken.code, _sentence(spoken), spoken.field or "text", is_error=True)
        yield Remark(cast.variant, cast.language, finding, spoken.line, spoken.column)
        return
    for finding in findings(spoken):
        source = "mjml" if finding.field == "html" and "mjml" in cast.line.sources else finding.field
        place = _found(finding.needle, cast.line.sources.get(source, ""))
        yield Remark(cast.variant, cast.language, replace(finding, field=source), *place)


def _found(needle: str, source: str) -> tuple[int | None, int | None]:
    """Say where something stands first in a source, when it stands there at all."""
    at = source.find(needle) if needle else -1
    return (source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)) if at >= 0 else (None, None)
