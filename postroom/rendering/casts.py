"""From a notification's casting to a line a renderer can speak: which variant, which language, which values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection
from postroom.policy.house import CHOICE as POLICY
from postroom.rendering.speech import FIELDS, Line
from postroom.templates.casting import Casting
from postroom.templates.content import Content, Script, Variant
from postroom.templates.globals import globals_of
from postroom.templates.languages import best
from postroom.templates.selection import choose
from postroom.templates.variables import merge
from postroom.tenants.choices import read_choice


@dataclass(frozen=True, slots=True)
class Cast:
    """What is said to one person: the line, and the variant and the language that were chosen for them."""

    line: Line
    variant: str
    language: str


@dataclass(frozen=True, slots=True)
class Common:
    """What all templates of a tenant share: variables, and the zone of whoever's is not known."""

    variables: Mapping[str, Any]
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """A script of a template in one language, and its key."""

    language: str
    key: str
    sources: Mapping[str, str]


Wish = tuple[str, str | None, str | None]  # a variant, and the languages somebody may want it in


@dataclass(frozen=True, slots=True)
class Repertoire:
    """One version of a tenant's template; what those who wish for the same are told is looked up once."""

    tenant_id: UUID
    content: Content
    common: Common
    _parts: dict[Wish, Part] = field(default_factory=dict, repr=False, compare=False)

    def cast(self, casting: Casting, recipient: str) -> Cast:
        """Choose variant and language for one person, as often as asked the same."""
        return self.staged(choose(self.content, casting, recipient), casting)

    def staged(self, variant: Variant, casting: Casting) -> Cast:
        """Choose the language of a variant; where it knows none of those wished for, it is the default."""
        wish = (variant.name, casting.language, casting.known_language)
        part = self._parts.get(wish)
        if part is None:
            part = self._parts[wish] = self._part(variant, casting)
        zone = casting.time_zone or self.common.time_zone
        line = Line(part.key, part.sources, part.language, zone, self._values(casting))
        return Cast(line, variant.name, part.language)

    def _part(self, variant: Variant, casting: Casting) -> Part:
        language = best((casting.language, casting.known_language), variant.languages, self._default(variant))
        key = f"{self.tenant_id}/{casting.template_id}/{casting.version}/{variant.name}/{language}"
        return Part(language, key, sources(variant.languages[language]))

    def _default(self, variant: Variant) -> str:
        default = self.content.default_language
        return default if default in variant.languages else next(iter(variant.languages))

    def _values(self, casting: Casting) -> Mapping[str, Any]:
        values = merge(self.content.variables, self.common.variables, casting.variables)
        return {**values, **casting.links, "contact": casting.attributes}


async def common_of(connection: Connection, tenant_id: UUID) -> Common:
    """Read what a tenant's templates share, in its transaction."""
    policy = await read_choice(connection, tenant_id, POLICY) or {}
    return Common(await globals_of(connection, tenant_id), policy.get("time_zone"))


def sources(script: Script) -> Mapping[str, str]:
    """Return the texts that a script has, by field."""
    return {name: source for name in FIELDS if (source := getattr(script, name))}
