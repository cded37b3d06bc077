"""Writes the pages as HTML that needs no script, no cookie and nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from postroom.contracts.vocabulary import ChannelKind
from postroom.person_pages.links import Links
from postroom.person_pages.sheet import PauseChoice, Sheet, Unsubscribed
from postroom.person_pages.wording import LANGUAGES, choose_language, day
from postroom.policy.preferences import Frequency


class Writer:
    """Writes pages; built once per process."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("postroom.person_pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._style = files("postroom.person_pages").joinpath("templates/style.css").read_text()

    def policy(self) -> str:
        """Return what a browser may do with a page: nothing but show it, and post its forms back."""
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        return (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )

    def choices(self, sheet: Sheet, links: Links, asked: tuple[str, bool]) -> str:
        """Write the page of choices; `asked` has the languages the browser accepts, and whether it saved just now."""
        accepted, saved = asked
        language = choose_language(sheet.language, accepted)
        say = partial(_say, language, (sheet.sender, sheet.channel))
        ordered = sorted(sheet.rows, key=lambda row: row.group)
        context: dict[str, Any] = {
            "sheet": sheet,
            "groups": [(_group(language, name), list(rows)) for name, rows in groupby(ordered, lambda row: row.group)],
            "frequencies": list(Frequency),
            "pauses": _pauses(sheet),
            "paused": _paused(sheet, language, say),
            "saved": saved,
        }
        return self._write("choices.html", language, links, context | {"say": say})

    def one_click(self, step: str, about: Unsubscribed, links: Links, accepted: str) -> str:
        """Write a page about unsubscribing: `confirm`, `done` or `undone`."""
        language = choose_language(about.language, accepted)
        say = partial(_say, language, (about.sender, about.channel))
        return self._write("one_click.html", language, links, {"step": step, "about": about, "say": say})

    def lost(self, accepted: str) -> str:
        """Write the page of a link that leads nowhere."""
        language = choose_language(None, accepted)
        return self._write(
            "lost.html", language, Links("", ""), {"say": partial(_say, language, ("", ChannelKind.EMAIL))}
        )

    def _write(self, name: str, language: str, links: Links, context: Mapping[str, Any]) -> str:
        return self._templates.get_template(name).render(
            language=language, style=self._style, **links.named(), **context
        )


def _say(language: str, place: tuple[str, ChannelKind], key: str, **named: str) -> str:
    """Say something about who writes, and over which channel."""
    sender, channel = place
    words = LANGUAGES[language]
    return words[key].format(sender=sender, by=words[f"by_{channel}"], **named)


def _group(language: str, name: str) -> str:
    return LANGUAGES[language].get(name, name) if name in {"system", "activity", "billing", "marketing"} else name


def _pauses(sheet: Sheet) -> list[PauseChoice]:
    choices = [PauseChoice.NONE, PauseChoice.WEEK, PauseChoice.MONTH, PauseChoice.FOREVER]
    return [PauseChoice.KEEP, *choices] if sheet.paused_until else choices


def _paused(sheet: Sheet, language: str, say: Any) -> str:  # noqa: ANN401 - a partial
    if sheet.paused_until is None:
        return ""
    if isinstance(sheet.paused_until, str):
        return str(say("paused_forever"))
    return str(say("paused_until", until=day(sheet.paused_until, sheet.language, language)))
