"""Language tags: one spelling for each, and which of those at hand is nearest to what was asked for."""

from collections.abc import Collection, Iterator, Sequence

from babel.core import get_global

from postroom.contacts.person import is_language
from postroom.errors import Invalid

_SCRIPT_LETTERS = 4
_REGION_LETTERS = 2


def canonical(tag: str) -> str:
    """Spell a tag as RFC 5646 section 2.1.1 recommends: `zh_cn` and `ZH-CN` are `zh-CN`.

    Raises:
        Invalid: it is no language tag (BCP 47).
    """
    dashed = tag.replace("_", "-")
    if not is_language(dashed):
        raise Invalid("Write a language tag (BCP 47), such as en or pt-BR.", code="invalid_language")
    language, *rest = dashed.lower().split("-")
    after_singleton = False
    spelled = [language]
    for part in rest:
        spelled.append(part if after_singleton else _cased(part))
        after_singleton = after_singleton or len(part) == 1
    return "-".join(spelled)


def best(wanted: Sequence[str | None], at_hand: Collection[str], default: str) -> str:
    """Return the tag at hand that fits the first wish which any fits, or the default (RFC 4647 section 3.4).

    `at_hand` is spelled canonically. A wish that is no tag is passed over: it may come from an older contact.
    """
    for wish in wanted:
        for candidate in _candidates(wish) if wish else ():
            if candidate in at_hand:
                return candidate
    return default


def _candidates(wish: str) -> Iterator[str]:
    """Cut a tag shorter and shorter; before a script is lost, the one that a region writes in is tried.

    So zh-TW falls back to zh-Hant before zh, which is what people there can read (Unicode TR 35, likely subtags).
    """
    try:
        parts = canonical(wish).split("-")
    except Invalid:
        return
    while parts:
        yield "-".join(parts)
        yield from _scripted(parts)
        parts.pop()
        while parts and len(parts[-1]) == 1:  # a singleton announces what was cut off
            parts.pop()


def _scripted(parts: Sequence[str]) -> Iterator[str]:
    match parts:
        case [language, region] if len(region) == _REGION_LETTERS:
            written = _likely(language, region)
            if written:
                yield f"{language}-{written}-{region}"
                yield f"{language}-{written}"
        case [language, script, region] if len(script) == _SCRIPT_LETTERS and _likely(language, region) == script:
            yield f"{language}-{region}"
        case _:
            return


def _likely(language: str, region: str) -> str | None:
    """Return the script a language is written in somewhere, where Unicode knows one."""
    known = get_global("likely_subtags")
    found = known.get(f"{language}_{region}") or known.get(language)
    parts = str(found).split("_") if found else []
    return parts[1] if len(parts) > 1 else None


def _cased(part: str) -> str:
    if len(part) == _REGION_LETTERS:
        return part.upper()
    return part.title() if len(part) == _SCRIPT_LETTERS and part.isalpha() else part
