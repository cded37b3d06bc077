"""An inspector that parses: mistakes of syntax, and which variables are used first where."""

import asyncio

from jinja2 import Environment, TemplateSyntaxError, meta

from postroom.templates.casting import ALWAYS_THERE
from postroom.templates.content import Content
from postroom.templates.inspection import Inspection, Place, Problem
from postroom.templates.writing import TEXTS


class Parser:
    """Looks at sources with Jinja's own parser."""

    async def inspect(self, content: Content) -> Inspection:
        """Parse every text of a content, beside the event loop."""
        return await asyncio.to_thread(_inspect, content)


def _inspect(content: Content) -> Inspection:
    environment, problems, used = Environment(autoescape=True), list[Problem](), dict[str, Place]()
    for position, variant in enumerate(content.variants):
        for tag, script in variant.languages.items():
            for text in TEXTS:
                place = f"/variants/{position}/languages/{tag}/{text}"
                try:
                    tree = environment.parse(getattr(script, text) or "")
                except TemplateSyntaxError as error:
                    detail = str(error.message)
                    problems.append(Problem("template_syntax", detail, Place(place, error.lineno)))
                    continue
                for name in sorted(meta.find_undeclared_variables(tree)):
                    used.setdefault(name, Place(place))
    return Inspection(problems, {name: place for name, place in used.items() if name not in ALWAYS_THERE})
