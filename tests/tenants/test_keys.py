"""A key is random, recognisable, and worth nothing as a hash."""

import string

import pytest
from hypothesis import given, strategies

from postroom.tenants.keys import key_hash, new_key, spelled_key, well_formed

PEPPER = b"pepper"


def test_a_key_is_long_random_and_recognisable() -> None:
    keys = {new_key(PEPPER).text for _ in range(200)}
    assert len(keys) == 200
    for text in keys:
        assert text.startswith("pr_")
        assert len(text) == 3 + 43 + 6
        assert set(text[3:]) <= set(string.ascii_letters + string.digits)
        assert well_formed(text)


def test_the_hint_gives_nothing_away() -> None:
    key = new_key(PEPPER)
    assert key.text.startswith(key.hint.removesuffix("..."))
    assert len(key.hint) < 12


def test_the_hash_needs_the_pepper() -> None:
    key = new_key(PEPPER)
    assert key.key_hash == key_hash(PEPPER, key.text) != key_hash(b"other", key.text)
    assert spelled_key(PEPPER, key.text) == key


@given(position=strategies.integers(3, 51), sign=strategies.sampled_from(string.ascii_letters + string.digits))
def test_one_wrong_sign_is_noticed(position: int, sign: str) -> None:
    text = new_key(PEPPER).text
    changed = text[:position] + sign + text[position + 1 :]
    assert well_formed(changed) == (changed == text)


@given(strategies.text())
def test_other_texts_are_no_keys(text: str) -> None:
    assert not well_formed(text)
    with pytest.raises(ValueError, match="not a Postroom key"):
        spelled_key(PEPPER, text)
