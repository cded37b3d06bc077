"""Where templates are compiled and spoken: one text at a time, in one process, within its bounds."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import Template
from jinja2.runtime import Context

from postroom.rendering.contexts import FILTERS
from postroom.rendering.environment import Leashed
from postroom.rendering.grammar import JOINING, SEARCHING, TURNING, Grammar
from postroom.rendering.limits import OUTPUT, SOURCE
from postroom.rendering.localized import Localized
from postroom.rendering.markup import from_mjml, with_styles_inlined
from postroom.rendering.meter import Meter
from postroom.rendering.placing import place_values
from postroom.rendering.texts import Texts
from postroom.rendering.trouble import Code, Refused

TESTS = (
    *("boolean", "defined", "divisibleby", "eq", "even", "float", "ge", "gt", "in", "integer", "le", "lt"),
    *("mapping", "ne", "none", "number", "odd", "sequence", "string", "undefined"),
)
MARKED_UP = frozenset({"html", "mjml"})


class Stage:
    """Compiles and renders; not to be shared by threads."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._tongue = Localized()
        texts = Texts(self._meter)
        filters: dict[str, Callable[..., Any]] = {**texts.filters, **self._tongue.filters, **FILTERS}
        filters |= {TURNING: texts.turning, JOINING: texts.joining, SEARCHING: texts.searching}
        self._plain, self._html = Leashed(autoescape=False), Leashed(autoescape=True)
        for environment in (self._plain, self._html):
            environment.extend_with(filters, TESTS)
        public = [name for name in filters if not name.startswith(" ")]
        self._grammar = Grammar(frozenset(public), frozenset(TESTS))

    def speak(self, language: str, zone: str | None) -> None:
        """Choose the language and the zone of what is rendered next."""
        self._tongue.speak(language, zone)

    @property
    def language(self) -> str:
        """The language that was chosen last, as a tag."""
        return self._tongue.language

    def compile(self, field: str, source: str) -> Template:
        """Check a source and compile it.

        Raises:
            Refused: it is not allowed, or no template at all.
        """
        try:
            return self._compiled(field, source)
        except RecursionError:
            raise Refused(Code.TOO_COMPLEX, "The template is nested too deeply.", line=1) from None
        except MemoryError:
            detail = "The template takes more memory than there is for it."
            raise Refused(Code.TOO_EXPENSIVE, detail, line=1) from None

    def asked(self, field: str) -> frozenset[str]:
        """Return the names that the text of this field which was compiled last takes from outside."""
        return frozenset(self._environment(field).asked)

    def _compiled(self, field: str, source: str) -> Template:
        environment = self._environment(field)
        environment.asked.clear()
        tree = self._parse(source, environment)
        if field in MARKED_UP:
            html = from_mjml(source, environment) if field == "mjml" else with_styles_inlined(source, environment)
            if html is not source:
                tree = self._parse(html, environment)
            place_values(tree)
        return environment.from_string(tree)

    def _environment(self, field: str) -> Leashed:
        return self._html if field in MARKED_UP else self._plain

    def render(self, template: Template, values: Mapping[str, Any]) -> str:
        """Speak one text.

        Raises:
            Refused: a value is missing or wrong, or the text grows beyond its bounds.
        """
        self._meter.reset()
        try:
            return self._spoken(template, values)
        except MemoryError:
            raise Refused(Code.TOO_LARGE, "The text takes more memory than there is for it.") from None
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library makes of a value, its neighbours are spoken
            raise Refused(Code.VALUE, f"A value does not fit what is done with it ({type(error).__name__}).") from None

    def _spoken(self, template: Template, values: Mapping[str, Any]) -> str:
        context = Context(template.environment, values, None, {})  # type: ignore[arg-type]  # it is only read
        said, length = [], 0
        for chunk in template.root_render_func(context):
            length += len(chunk)
            if length > OUTPUT:
                raise Refused(Code.TOO_LARGE, f"The text comes to more than {OUTPUT} characters.")
            said.append(chunk)
        return "".join(said)

    def _parse(self, source: str, environment: Leashed) -> nodes.Template:
        if len(source) > 4 * SOURCE:
            raise Refused(Code.TOO_COMPLEX, f"A text has at most {SOURCE} characters.")
        try:
            tree = environment.parse(source)
        except TemplateSyntaxError as error:
            raise Refused(Code.SYNTAX, (error.message or "This is no template.")[:200], line=error.lineno) from None
        except ValueError:  # a number of more digits than the interpreter reads
            raise Refused(Code.VALUE, "Numbers are below 10^30.") from None
        self._grammar.check(tree)
        return tree
