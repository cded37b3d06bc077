"""MJML and style sheets become plain HTML once for each version, before any value is there; nothing is ever fetched."""

import re

from css_inline import CSSInliner, InlineError
from jinja2 import Environment
from mrml import ParserOptions, RenderOptions, memory_loader, to_html

from postroom.rendering.limits import COMPILED
from postroom.rendering.shielding import Shield
from postroom.rendering.trouble import Code, Refused

_INCLUDE = re.compile(r"<\s*mj-include\b", re.IGNORECASE)
# HTML's parser puts rows into a body, which a loop over rows must not open anew at every turn.
_LOOP_OVER_ROWS = re.compile(r"(<table\b[^>]*>)((?:\s*<!--q[a-z0-9]+-->)+\s*)(<tbody>)")
_STYLED = re.compile(r"<style\b", re.IGNORECASE)


def from_mjml(source: str, environment: Environment) -> str:
    """Return the HTML of an MJML source, with its tags where they were.

    Raises:
        Refused: `include_not_allowed`, or it is no MJML.
    """
    if found := _INCLUDE.search(source):
        raise Refused(Code.INCLUDE, "A template includes no files.", line=source.count("\n", 0, found.start()) + 1)
    shield = Shield.over(source, environment)
    try:
        made = to_html(shield.text, ParserOptions(include_loader=memory_loader({})), RenderOptions(fonts={}))
    except OSError as error:
        raise Refused(Code.SYNTAX, f"This is not MJML: {error}"[:200]) from None
    return _bounded(shield.lift(made.content))


def with_styles_inlined(source: str, environment: Environment) -> str:
    """Return HTML whose style sheets stand in its `style` attributes; media queries stay where they can work.

    Raises:
        Refused: a style sheet cannot be read, or its tags cannot be kept.
    """
    if not _STYLED.search(source):
        return source
    shield = Shield.over(source, environment)
    inliner = CSSInliner(load_remote_stylesheets=False, keep_link_tags=True, keep_at_rules=True)
    try:
        inlined = inliner.inline(shield.text)
    except InlineError as error:
        raise Refused(Code.SYNTAX, f"The style sheet cannot be read: {error}"[:200]) from None
    if "<tbody" not in source.lower():
        inlined = _LOOP_OVER_ROWS.sub(r"\1\3\2", inlined)
    return _bounded(shield.lift(inlined))


def _bounded(html: str) -> str:
    if len(html) > COMPILED:
        raise Refused(Code.TOO_COMPLEX, f"The HTML comes to more than {COMPILED} characters.")
    return html
