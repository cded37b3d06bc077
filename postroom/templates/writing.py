"""A template as a caller wrote it, held to the rules that need no look into its sources."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import FieldError, Invalid
from postroom.notifications.placeholders import INVALID
from postroom.templates.content import Content, Script, Variable
from postroom.templates.inspection import Inspection, Place
from postroom.templates.variables import NAME, SENTENCES, TAKEN, fits

SOURCE_BYTES = 262_144  # of one text
CONTENT_BYTES = 2_000_000  # of all texts together
LANGUAGES, VARIANTS, VARIABLES = 50, 20, 200
SHOWN_ERRORS = 100
TEXTS = ("title", "text", "html", "mjml")

UNDEFINED = "template_undefined"
TOO_COMPLEX = "template_too_complex"
UNNAMEABLE, A_NAME = "invalid_variable_name", "A variable has a name such as order_number."


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that is allowed and probably not meant; `pointer` leads into the caller's body."""

    code: str
    detail: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Written:
    """A template about to be saved.

    `places` leads from the canonical pointer of each text to where the caller wrote it. Without `declares` the
    variables are those that the sources use. `as_draft` keeps it from review, `for_use` brings it there at once.
    """

    name: str
    content: Content
    places: Mapping[str, str]
    declares: bool = True
    as_draft: bool = False
    for_use: bool = False
    base_version: int | None = None

    def check(self) -> None:
        """Refuse what no version may be.

        Raises:
            Invalid: with a pointer to everything that is wrong.
        """
        errors = [*self._counts(), *self._variables()] or [*self._languages(), *self._scripts()]
        _refuse(errors)

    def settled(self, inspection: Inspection, shared: Mapping[str, str]) -> tuple[Self, Sequence[Warned]]:
        """Take what an inspection found; `shared` are the tenant's variables, which need no declaration.

        Raises:
            Invalid: a source is wrong, or speaks of a variable that nobody declares.
        """
        errors = [self._error(one.place, one.code, one.detail) for one in inspection.problems]
        declared = {one.name for one in self.content.variables}
        unknown = {name: place for name, place in inspection.used.items() if name not in {*declared, *shared}}
        if self.declares:
            detail = "The variable {} is used here and not declared."
            errors += [self._error(place, UNDEFINED, detail.format(name[:64])) for name, place in unknown.items()]
        else:
            errors += [self._error(place, UNNAMEABLE, A_NAME) for name, place in unknown.items() if not _is_name(name)]
        _refuse(errors)
        if not self.declares:
            found = tuple(Variable.named(name) for name in sorted(unknown))
            if len(found) > VARIABLES:
                raise Invalid.at("", TOO_COMPLEX, f"A template uses at most {VARIABLES} variables.")
            return replace(self, content=replace(self.content, variables=found)), ()
        return self, [
            Warned("variable_unused", f"No text uses the variable {one.name}.", f"/variables/{position}")
            for position, one in enumerate(self.content.variables)
            if one.name not in inspection.used
        ]

    def _error(self, place: Place, code: str, detail: str) -> FieldError:
        return FieldError(self.places.get(place.pointer, place.pointer), code, detail, place.line, place.column)

    def _counts(self) -> Iterator[FieldError]:
        content = self.content
        if not 1 <= len(content.variants) <= VARIANTS:
            yield FieldError("/variants", TOO_COMPLEX, f"A template has 1 to {VARIANTS} variants.")
        if len(content.variables) > VARIABLES:
            yield FieldError("/variables", TOO_COMPLEX, f"A template declares at most {VARIABLES} variables.")
        for position, variant in enumerate(content.variants):
            if not 1 <= len(variant.languages) <= LANGUAGES:
                place = self.places[f"/variants/{position}/languages"]
                yield FieldError(place, TOO_COMPLEX, f"A variant has 1 to {LANGUAGES} languages.")
        texts = (
            getattr(one, text) or ""
            for variant in content.variants
            for one in variant.languages.values()
            for text in TEXTS
        )
        if sum(len(text.encode()) for text in texts) > CONTENT_BYTES:
            yield FieldError("", TOO_COMPLEX, f"All texts together have at most {CONTENT_BYTES} bytes.")

    def _variables(self) -> Iterator[FieldError]:
        seen: set[str] = set()
        for position, one in enumerate(self.content.variables):
            place = f"/variables/{position}"
            if not _is_name(one.name):
                yield FieldError(place, UNNAMEABLE, A_NAME)
            if one.name in seen:
                yield FieldError(place, "duplicate_variable", "This variable is declared twice.")
            if one.default is not None and not fits(one.type, one.default):
                yield FieldError(f"{place}/default", INVALID, SENTENCES[one.type])
            seen.add(one.name)

    def _languages(self) -> Iterator[FieldError]:
        content, names = self.content, set[str]()
        if sum(variant.weight for variant in content.variants) == 0:
            yield FieldError("/variants", "weight_required", "At least one variant needs a weight above 0.")
        for position, variant in enumerate(content.variants):
            if variant.name in names:
                yield FieldError(f"/variants/{position}/name", "duplicate_variant", "This name stands twice.")
            names.add(variant.name)
            if content.default_language not in variant.languages:
                detail = f"Every variant speaks the default language, {content.default_language}."
                place = self.places[f"/variants/{position}/languages"]
                yield FieldError(place, "default_language_missing", detail)

    def _scripts(self) -> Iterator[FieldError]:
        for position, variant in enumerate(self.content.variants):
            for tag, script in variant.languages.items():
                place = f"/variants/{position}/languages/{tag}"
                for text, code, detail in _wrong(self.content.channel, script):
                    yield FieldError(self.places[f"{place}/{text}"], code, detail)


def _is_name(name: str) -> bool:
    return NAME.fullmatch(name) is not None and name not in TAKEN


def _wrong(channel: str, script: Script) -> Iterator[tuple[str, str, str]]:
    """Name the text, the code and a sentence for whatever is wrong with one language."""
    if channel == ChannelKind.EMAIL and not script.title:
        yield "title", "title_required", "An e-mail needs a title."
    if not (script.text or script.html or script.mjml):
        yield "text", "content_required", "It needs a text, HTML or MJML."
    if script.html and script.mjml:
        yield "mjml", "html_or_mjml", "Give HTML or MJML, not both."
    for text in TEXTS:
        if len((getattr(script, text) or "").encode()) > SOURCE_BYTES:
            yield text, "template_too_large", f"One text has at most {SOURCE_BYTES} bytes."


def _refuse(errors: Sequence[FieldError]) -> None:
    if errors:
        codes = {error.code for error in errors}
        code = codes.pop() if len(codes) == 1 else Invalid.code
        detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} fields are wrong."
        raise Invalid(detail, code=code, errors=errors[:SHOWN_ERRORS])
