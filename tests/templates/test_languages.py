"""One spelling for each tag, and a fall-back that people can read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.errors import Invalid
from postroom.templates.languages import best, canonical

TAGS = st.from_regex(r"[a-z]{2}(-[A-Z][a-z]{3})?(-[A-Z]{2})?(-[a-z]{5})?", fullmatch=True)


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("zh_CN", "zh-CN"),
        ("zh-cn", "zh-CN"),
        ("ZH_hans_cn", "zh-Hans-CN"),
        ("DE", "de"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
        ("es-419", "es-419"),
        ("en-a-BBB-x-CCCC", "en-a-bbb-x-cccc"),
        ("de-1901", "de-1901"),
    ],
)
def test_a_tag_has_one_spelling(written: str, spelled: str) -> None:
    assert canonical(written) == spelled


@pytest.mark.parametrize("written", ["", "e", "en--US", "en-", "en US", "../de", "de-\u00df", "x" * 65, "en_US.UTF-8"])
def test_what_is_no_tag_is_refused(written: str) -> None:
    with pytest.raises(Invalid) as refused:
        canonical(written)
    assert refused.value.code == "invalid_language"


@given(TAGS)
def test_spelling_is_stable_and_does_not_care_how_it_was_written(tag: str) -> None:
    spelled = canonical(tag)
    assert canonical(spelled) == spelled
    assert canonical(tag.upper().replace("-", "_")) == spelled
    assert canonical(tag.lower()) == spelled


@pytest.mark.parametrize(
    ("wish", "at_hand", "found"),
    [
        ("de-AT", {"de", "en"}, "de"),
        ("de-AT", {"de-AT", "de", "en"}, "de-AT"),
        ("fr", {"de", "en"}, "en"),
        ("zh-Hant-TW", {"zh-Hant", "zh", "en"}, "zh-Hant"),
        ("zh-Hant-TW", {"zh-TW", "zh", "en"}, "zh-TW"),
        ("zh-TW", {"zh", "zh-Hant", "en"}, "zh-Hant"),
        ("zh_CN", {"zh", "zh-Hans", "zh-Hant", "en"}, "zh-Hans"),
        ("zh-TW", {"zh", "en"}, "zh"),
        ("sr-Latn-RS", {"sr", "sr-RS", "en"}, "sr"),
        ("en-a-bbb-x-cccc", {"en-a", "en"}, "en"),
        ("de", {"de-AT", "en"}, "en"),
        ("nonsense tag", {"de", "en"}, "en"),
    ],
)
def test_the_nearest_is_found(wish: str, at_hand: set[str], found: str) -> None:
    assert best([wish], at_hand, "en") == found


def test_the_first_wish_that_anything_fits_counts() -> None:
    assert best([None, "fr-CA", "de-AT"], {"de", "en"}, "en") == "de"
    assert best(["fr-CA", "de-AT"], {"de", "fr", "en"}, "en") == "fr"
    assert best([], {"de"}, "en") == "en"


@given(st.lists(TAGS, max_size=3), st.sets(TAGS.map(canonical), max_size=6))
def test_what_is_found_is_at_hand_and_of_a_language_asked_for(wishes: list[str], at_hand: set[str]) -> None:
    found = best(wishes, at_hand, "tlh")
    if found == "tlh":
        assert not any(canonical(wish) in at_hand or wish[:2] in at_hand for wish in wishes)
    else:
        assert found in at_hand
        assert found[:2] in {wish[:2] for wish in wishes}


@given(st.sets(TAGS.map(canonical), min_size=1, max_size=6), st.data())
def test_an_exact_fit_is_taken(at_hand: set[str], data: st.DataObject) -> None:
    wish = data.draw(st.sampled_from(sorted(at_hand)))
    assert best([wish.upper()], at_hand, "en") == wish
