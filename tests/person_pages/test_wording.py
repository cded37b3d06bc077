"""Every language says everything, and the person's goes before the browser's."""

import re
from datetime import UTC, datetime

import pytest

from postroom.person_pages.wording import ENGLISH, LANGUAGES, choose_language, day

PLACES = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_says_everything(language: str) -> None:
    words = LANGUAGES[language]
    assert words.keys() == ENGLISH.keys()
    for key, text in words.items():
        assert set(PLACES.findall(text)) == set(PLACES.findall(ENGLISH[key])), key


@pytest.mark.parametrize(
    ("known", "accepted", "language"),
    [
        ("de-AT", "en", "de"),
        ("de_CH", "", "de"),
        ("fr", "de", "en"),  # what is known goes first, and we do not speak it
        (None, "fr-CA, de;q=0.8, en;q=0.7", "de"),
        (None, "", "en"),
        (None, "*", "en"),
        (None, ",;q=,", "en"),
    ],
)
def test_which_language_a_page_speaks(known: str | None, accepted: str, language: str) -> None:
    assert choose_language(known, accepted) == language


def test_a_day_is_spelled_as_it_is_where_the_person_lives() -> None:
    moment = datetime(2026, 11, 27, 17, tzinfo=UTC)
    assert day(moment, "en-US", "en") == "November 27, 2026"
    assert day(moment, "en-GB", "en") == "27 November 2026"
    assert day(moment, "de-AT", "de") == "27. November 2026"
    assert day(moment, "xx-quite-unknown", "en") == "November 27, 2026"
    assert day(None, "en", "en") == ""
