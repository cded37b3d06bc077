"""MJML and style sheets become plain HTML once for each version, before any value is there; nothing is ever fetched."""

import re

from css_inline import CSSInliner, InlineError
from jinja2 import Environment
from mrml import ParserOptions, RenderOptions, memory_loader, to_html

from postroom.rendering.limits import COMPILED
from postroom.rendering.shielding import Shield
from postroom.rendering.trouble import Code, Refused

_INCLUDE = re.compile(r"<\s*mj-include\b", re.IGNORECASE)
# Its sheet goes into the elements; the compiler of MJML leaves it out.
_INLINE_SHEET = re.compile(
    r"<mj-style\b[^>]*\binline\s*=\s*([\"'])inline\1[^>]*>(.*?)</mj-style\s*>", re.IGNORECASE | re.DOTALL
)
# HTML's parser puts rows into a body, which a loop over rows must not open anew at every turn.
_LOOP_OVER_ROWS = re.compile(r"(<table\b[^>]*>)((?:\s*<!--q[a-z0-9]+-->)+\s*)(<tbody>)")
# Where HTML's parser would begin the body itself, at the first element behind the styles, it may be inside a condition.
_BEGINNING = re.compile(r"\s*(?:<!doctype[^>]*>)?", re.IGNORECASE)
_FRAMED = re.compile(r"<(?:html|head|body)\b", re.IGNORECASE)
_STYLED = re.compile(r"<style\b", re.IGNORECASE)


def from_mjml(source: str, environment: Environment) -> str:
    """Return the HTML of an MJML source, with its tags where they were.

    Raises:
        Refused: `include_not_allowed`, or it is no MJML.
    """
    if found := _INCLUDE.search(source):
        raise Refused(Code.INCLUDE, "A template includes no files.", line=source.count("\n", 0, found.start()) + 1)
    shield = Shield.over(source, environment)
    sheet = "\n".join(found[2] for found in _INLINE_SHEET.finditer(shield.text))
    mjml = _INLINE_SHEET.sub("", shield.text)
    try:
        made = to_html(mjml, ParserOptions(include_loader=memory_loader({})), RenderOptions(fonts={})).content
    except OSError as error:
        raise Refused(Code.SYNTAX, f"This is not MJML: {error}"[:200]) from None
    if sheet:
        inliner = CSSInliner(
            extra_css=sheet,
            inline_style_tags=False,
            keep_style_tags=True,
            keep_link_tags=True,
            load_remote_stylesheets=False,
        )
        made = _inlined(inliner, made)
    return _bounded(shield.lift(made))


def with_styles_inlined(source: str, environment: Environment) -> str:
    """Return HTML whose style sheets stand in its `style` attributes; media queries stay where they can work.

    Raises:
        Refused: a style sheet cannot be read, or its tags cannot be kept.
    """
    if not _STYLED.search(source):
        return source
    shield = Shield.over(source, environment)
    inliner = CSSInliner(load_remote_stylesheets=False, keep_link_tags=True, keep_at_rules=True)
    inlined = _inlined(inliner, _framed(shield.text))
    if "<tbody" not in source.lower():
        inlined = _LOOP_OVER_ROWS.sub(r"\1\3\2", inlined)
    return _bounded(shield.lift(inlined))


def _inlined(inliner: CSSInliner, html: str) -> str:
    try:
        return inliner.inline(html)
    except InlineError as error:
        raise Refused(Code.SYNTAX, f"The style sheet cannot be read: {error}"[:200]) from None


def _framed(html: str) -> str:
    return html if _FRAMED.search(html) else _BEGINNING.sub(r"\g<0><body>", html, count=1)


def _bounded(html: str) -> str:
    if len(html) > COMPILED:
        raise Refused(Code.TOO_COMPLEX, f"The HTML comes to more than {COMPILED} characters.")
    return html
