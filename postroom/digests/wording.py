"""The words of a digest whose type names no template for it: title, text and page, in the person's language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_time

from postroom.digests.items import Line
from postroom.policy.zones import UTC_NAME, find_zone

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language's words."""

    one: str
    many: str
    opening: str
    more: str


PHRASES: Mapping[str, Phrases] = {
    "en": Phrases("1 update about {type}", "{count} updates about {type}", "The earliest first:", "and {count} more"),
    "de": Phrases(
        "1 Neuigkeit zu {type}", "{count} Neuigkeiten zu {type}", "Die älteste zuerst:", "und {count} weitere"
    ),
}

PAGE = """<!doctype html>
<html lang="{language}">
<body style="margin:0;padding:24px;font-family:Helvetica,Arial,sans-serif;color:#1f2933;background:#ffffff">
<div style="max-width:600px;margin:0 auto">
<h1 style="font-size:20px;line-height:28px;margin:0 0 8px">{title}</h1>
<p style="margin:0 0 16px;color:#52606d">{opening}</p>
{lines}{more}</div>
</body>
</html>
"""
ENTRY = """<div style="border-top:1px solid #e4e7eb;padding:12px 0">
<div style="font-size:12px;line-height:16px;color:#52606d">{time}</div>
<div style="font-size:16px;line-height:24px;font-weight:bold">{title}</div>
{text}</div>
"""
TEXT = '<div style="font-size:14px;line-height:20px">{text}</div>\n'
MORE = '<p style="border-top:1px solid #e4e7eb;margin:0;padding:12px 0;color:#52606d">{more}</p>\n'


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a digest, as far as its words depend on it."""

    notification_type: str
    language: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What a digest says."""

    title: str
    text: str
    html: str


def word(reader: Reader, lines: Sequence[Line], count: int) -> Words:
    """Put a digest of `count` items into words, of which `lines` are spelled out; the others are counted."""
    language = spoken(reader.language)
    phrases = PHRASES[language]
    title = (phrases.one if count == 1 else phrases.many).format(count=count, type=reader.notification_type)
    more = phrases.more.format(count=count - len(lines)) if count > len(lines) else ""
    entries = [(_clock(line.created_at, reader), line.title or reader.notification_type, line.text) for line in lines]
    return Words(title, _text(phrases, entries, more), _page((language, title, phrases.opening), entries, more))


def spoken(language: str | None) -> str:
    """Return the language the house speaks to somebody who reads this one: `de-AT` is told in German."""
    primary = (language or "").lower().partition("-")[0]
    return primary if primary in PHRASES else DEFAULT_LANGUAGE


def _clock(at: datetime, reader: Reader) -> str:
    zone = find_zone(reader.time_zone or UTC_NAME)
    local, locale = at.astimezone(zone.info), _locale(reader.language)
    told = f"{format_date(local, 'medium', locale)}, {format_time(local, 'short', locale=locale)}"
    return f"{told} UTC" if zone.lost or zone.name == UTC_NAME else told


def _locale(language: str | None) -> Locale:
    """Return how dates are spelled where the words are read: `en-GB` not as in America."""
    try:
        known = Locale.parse(language or DEFAULT_LANGUAGE, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale(spoken(language))
    return known if known.language == spoken(language) else Locale(spoken(language))


Entries = Sequence[tuple[str, str, str | None]]


def _text(phrases: Phrases, entries: Entries, more: str) -> str:
    parts = [f"{time}\n{title}" + (f"\n{text}" if text else "") for time, title, text in entries]
    return "\n\n".join([phrases.opening, *parts] + ([f"... {more}"] if more else [])) + "\n"


def _page(head: tuple[str, str, str], entries: Entries, more: str) -> str:
    language, title, opening = head
    lines = "".join(
        ENTRY.format(
            time=escape(time), title=escape(said), text=TEXT.format(text=escape(text)) if text and text != said else ""
        )
        for time, said, text in entries
    )
    rest = MORE.format(more=escape(more)) if more else ""
    return PAGE.format(language=language, title=escape(title), opening=escape(opening), lines=lines, more=rest)
