"""Jinja on a short leash: it looks up keys and indices, computes with numbers, and runs nothing while compiling."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import LoopContext, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup

from postroom.rendering.trouble import Code, Refused

LARGEST = 10**30  # numbers beyond it are nobody's amount, and computing with them has no bound

LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})

_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
}


class Missing(StrictUndefined):
    """What is not there: may be asked for and given a default, never be shown, counted or walked."""

    def __init__(self, hint: str | None = None, obj: object = missing, name: str | None = None, *_: object) -> None:
        super().__init__(hint, obj, name, partial(undefined_name, name))  # type: ignore[arg-type]  # it is only called
        self.called = name


def undefined_name(name: object, _message: str | None = None) -> Refused:
    """Say that there is no such thing; a value used as a key is not repeated."""
    known = name if isinstance(name, str) and name.replace(".", "").replace("_", "").isalnum() else None
    return Refused(Code.UNDEFINED, "This has no value.", variable=known and known[:128])


def shown(value: object) -> object:
    """Spell a value as it stands in a text: as JSON does, and nothing that only a program could read.

    Raises:
        Refused: it has no value, or is a list or an object.
    """
    if type(value) is str or type(value) is Markup:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises
    if value is None:
        raise Refused(Code.UNDEFINED, "This is null; give it a default.")
    raise Refused(Code.VALUE, "A list or an object cannot be shown; name what is in it.")


class Unfolding(CodeGenerator):
    """Leaves every expression to the rendering: what is computed while compiling is computed without any bound."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def enter_frame(self, frame: Frame) -> None:
        """Remember what a template asks its caller for."""
        super().enter_frame(frame)
        if isinstance(self.environment, Leashed):
            self.environment.asked |= {
                name for action, name in frame.symbols.loads.values() if name and action == "resolve"
            }


class Leashed(ImmutableSandboxedEnvironment):
    """An environment without globals; `asked` gathers what templates that it compiles take from outside."""

    code_generator_class = Unfolding
    intercepted_binops = frozenset(_OPERATIONS)
    intercepted_unops = frozenset("+-")

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape, optimized=False, undefined=Missing, finalize=shown, cache_size=0)
        self.asked: set[str] = set()
        self.globals.clear()

    def getattr(self, obj: object, attribute: str) -> object:
        """Look up a key; there are no attributes."""
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else Missing(name=attribute)
        if isinstance(obj, LoopContext) and attribute in LOOP:
            return getattr(obj, attribute)
        if isinstance(obj, Missing):
            return Missing(name=f"{obj.called}.{attribute}")
        return Missing(name=attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """Look up a key or an index."""
        if isinstance(obj, list | tuple) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else Missing(name=str(argument))
        return self.getattr(obj, str(argument))

    def call(self, *_: object, **__: object) -> object:
        """Nothing is called.

        Raises:
            Refused: always.
        """
        raise Refused(Code.UNSAFE, "Nothing can be called.")

    def call_binop(self, _context: object, operator: str, left: object, right: object) -> object:
        """Compute with numbers."""
        return _OPERATIONS[operator](number(left), number(right))

    def call_unop(self, _context: object, operator: str, arg: object) -> object:
        """Turn a number's sign."""
        return -number(arg) if operator == "-" else number(arg)

    def extend_with(self, filters: Mapping[str, Callable[..., Any]], tests: Sequence[str]) -> None:
        """Keep these filters and tests alone."""
        self.filters = dict(filters)
        self.tests = {name: self.tests[name] for name in tests}


def number(value: object) -> int | float:
    """Return a number of bounded size.

    Raises:
        Refused: it is none.
    """
    if isinstance(value, Undefined):
        str(value)  # raises
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST < value < LARGEST:
        raise Refused(Code.VALUE, "This can be computed with numbers only.")
    return value
