"""What of Jinja's language a template may use: a list of what is allowed, held before anything is compiled or run."""

import re
from collections.abc import Collection

from jinja2 import nodes
from jinja2.filters import FILTERS as KNOWN_ELSEWHERE

from postroom.rendering.environment import LARGEST, LOOP
from postroom.rendering.limits import DEPTH, EXPRESSION_DEPTH, NODES
from postroom.rendering.trouble import Code, Refused

# How the checked tree says what the environment does in their place; no template can spell a name with a blank.
TURNING, JOINING, SEARCHING = " turning", " joining", " searching"
OWN_FILTERS = frozenset({TURNING, JOINING, SEARCHING})

_BLOCKS = (nodes.If, nodes.For)
_STATEMENTS = (nodes.Template, nodes.Output, nodes.Assign, *_BLOCKS)
_OPERATIONS = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Neg, nodes.Pos)
_EXPRESSIONS = (
    *(nodes.TemplateData, nodes.Const, nodes.List, nodes.Tuple, nodes.Name, nodes.Getattr, nodes.Getitem),
    *(nodes.Filter, nodes.Keyword, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.CondExpr, nodes.Concat, *_OPERATIONS),
)
_ALLOWED = frozenset((*_STATEMENTS, *_EXPRESSIONS))
_UNSAYABLE = re.compile("[\x00\ud800-\udfff]")
_REFUSED_NAMES = frozenset({"self", "super", "caller", "varargs", "kwargs"})
_WORDS: dict[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.Slice: "a slice",
    nodes.Dict: "an object",
    nodes.Mod: "the operator %",
}


class Grammar:
    """Checks one tree at a time and puts the metered forms of loops, joins and searches into it."""

    def __init__(self, filters: Collection[str], tests: Collection[str]) -> None:
        self._filters = filters
        self._tests = tests

    def check(self, tree: nodes.Template) -> None:
        """Walk the whole tree.

        Raises:
            Refused: it holds something that is not allowed, or is too deep or too large.
        """
        self._left = NODES
        self._walk(tree, 0, 0)

    def _walk(self, node: nodes.Node, blocks: int, depth: int) -> None:
        self._left -= 1
        if self._left < 0 or blocks > DEPTH or depth > EXPRESSION_DEPTH:
            raise _refused(node, Code.TOO_COMPLEX, "The template is nested too deeply or has too many parts.")
        if type(node) not in _ALLOWED:
            raise _forbidden(node)
        self._inspect(node)
        blocks += isinstance(node, _BLOCKS)
        depth = 0 if isinstance(node, _STATEMENTS) else depth + 1
        # An `elif` is a block beside the first one, although the tree has it inside.
        for child in list(node.iter_child_nodes()):
            self._walk(child, blocks - (isinstance(node, nodes.If) and child in node.elif_), depth)
        _meter(node)

    def _inspect(self, node: nodes.Node) -> None:
        match node:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                _check_name(node)
            case nodes.For() | nodes.Assign():
                _check_target(node)
            case nodes.Filter():
                self._check_filter(node)
            case nodes.Test():
                self._check_test(node)
            case nodes.Mul():
                _check_product(node)
            case nodes.Const():
                _check_constant(node)

    def _check_filter(self, node: nodes.Filter) -> None:
        if node.node is None or node.dyn_args or node.dyn_kwargs:
            raise _refused(node, Code.UNSAFE, "A filter stands behind a value and names its arguments.")
        if node.name in self._filters and node.name not in OWN_FILTERS:
            return
        if node.name in KNOWN_ELSEWHERE:
            raise _refused(node, Code.UNSAFE, f"The filter {node.name} is not available.")
        raise Refused(Code.UNDEFINED, "There is no such filter.", line=node.lineno, variable=node.name[:64])

    def _check_test(self, node: nodes.Test) -> None:
        if node.dyn_args or node.dyn_kwargs:
            raise _refused(node, Code.UNSAFE, "A test names its arguments.")
        if node.name not in self._tests:
            raise Refused(Code.UNDEFINED, "There is no such test.", line=node.lineno, variable=node.name[:64])


def _check_name(node: nodes.Name | nodes.Getattr | nodes.Getitem) -> None:
    match node:
        case nodes.Name(name=str(name)) if name in _REFUSED_NAMES or name.startswith("__"):
            raise _refused(node, Code.UNSAFE, "This name is not available.")
        case nodes.Getattr(node=nodes.Name(name="loop"), attr=str(name)) if name not in LOOP:
            raise _refused(node, Code.UNSAFE, f"Of a loop there is: {', '.join(sorted(LOOP))}.")
        case nodes.Getattr(attr=str(name)) | nodes.Getitem(arg=nodes.Const(value=str(name))):
            if name.startswith("__"):
                raise _refused(node, Code.UNSAFE, "A name must not begin with two underscores.")


def _check_target(node: nodes.For | nodes.Assign) -> None:
    target = node.target
    names = target.items if isinstance(target, nodes.Tuple) and isinstance(node, nodes.For) else [target]
    if not all(isinstance(one, nodes.Name) and one.name != "loop" for one in names):
        raise _refused(node, Code.UNSAFE, "Only a plain name can be set.")
    if isinstance(node, nodes.For) and node.recursive:
        raise _refused(node, Code.UNSAFE, "A loop cannot be recursive.")


def _check_constant(node: nodes.Const) -> None:
    """Numbers without bound cannot even be spelled while compiling, and some texts by no channel."""
    match node.value:
        case int() | float() as number if not -LARGEST < number < LARGEST:
            raise _refused(node, Code.VALUE, "Numbers are below 10^30.")
        case str() as text if _UNSAYABLE.search(text):
            raise _refused(node, Code.VALUE, "NUL and lone surrogates cannot be said.")


def _check_product(node: nodes.Mul) -> None:
    for side in (node.left, node.right):
        if isinstance(side, nodes.List | nodes.Tuple) or (
            isinstance(side, nodes.Const) and isinstance(side.value, str)
        ):
            raise _refused(node, Code.TOO_EXPENSIVE, "Only numbers can be multiplied.")


def _meter(node: nodes.Node) -> None:
    """Put the metered form in the place of what could grow; called when the parts of the node are checked."""
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Concat):
            setattr(node, name, _filter(value.nodes[0], JOINING, value.nodes[1:]))
        elif isinstance(value, list):
            value[:] = [
                _filter(one.nodes[0], JOINING, one.nodes[1:]) if isinstance(one, nodes.Concat) else one for one in value
            ]
    match node:
        case nodes.For():
            node.iter = _filter(node.iter, TURNING, [])
        case nodes.Operand(op="in" | "notin"):
            node.expr = _filter(node.expr, SEARCHING, [])


def _filter(value: nodes.Node, name: str, arguments: list[nodes.Expr]) -> nodes.Filter:
    if not isinstance(value, nodes.Expr):
        raise _forbidden(value)
    return nodes.Filter(value, name, arguments, [], None, None, lineno=value.lineno)


def _forbidden(node: nodes.Node) -> Refused:
    if isinstance(node, nodes.Pow):
        return _refused(node, Code.TOO_EXPENSIVE, "There are no powers in templates.")
    name = _WORDS.get(type(node), type(node).__name__.lower())
    return _refused(node, Code.UNSAFE, f"A template cannot use {name}.")


def _refused(node: nodes.Node, code: Code, detail: str) -> Refused:
    return Refused(code, detail, line=node.lineno)
