"""Who gets which variant: ever the same, by weight, and each version anew."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from postroom.templates.casting import Casting
from postroom.templates.content import Content, Script, Variant
from postroom.templates.resolving import Pinned, Resolved
from postroom.templates.selection import choose

PEOPLE = [f"user_{number}" for number in range(4_000)]


def content(*weights: int) -> Content:
    words = {"en": Script(title="Hello", text="Good day.")}
    return Content("email", "en", [Variant(f"v{number}", weight, words) for number, weight in enumerate(weights)])


def casting(template: int = 1, version: int = 1) -> Casting:
    return Casting(UUID(int=template), version, {})


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any), st.integers(1, 9), st.integers(1, 9))
def test_everybody_gets_the_same_again_and_weights_hold(weights: list[int], template: int, version: int) -> None:
    said, cast = content(*weights), casting(template, version)
    first = [choose(said, cast, person).name for person in PEOPLE]
    assert first[:50] == [choose(said, cast, person).name for person in PEOPLE[:50]]
    counts = Counter(first)
    for number, weight in enumerate(weights):
        share = weight / sum(weights)
        # Five standard deviations and a little: the hash is no fairer than a coin.
        leeway = 5 * (share * (1 - share) / len(PEOPLE)) ** 0.5 + 1e-9
        assert abs(counts[f"v{number}"] / len(PEOPLE) - share) <= leeway, weights


@given(st.text(max_size=64))
def test_a_variant_of_no_weight_is_never_said(person: str) -> None:
    assert choose(content(0, 3, 0), casting(), person).name == "v1"
    assert choose(content(0), casting(), person).name == "v0"


def test_another_version_draws_anew() -> None:
    said = content(1, 1)
    same = sum(
        choose(said, casting(version=1), person) == choose(said, casting(version=2), person) for person in PEOPLE
    )
    assert 0.45 < same / len(PEOPLE) < 0.55


def test_a_set_takes_turns_by_person() -> None:
    choices = [Pinned(UUID(int=number), 1, ()) for number in range(3)]
    turns = Resolved(choices, set_id=UUID(int=7))
    counts = Counter(turns.pick(person).template_id for person in PEOPLE)
    assert all(abs(count / len(PEOPLE) - 1 / 3) < 0.05 for count in counts.values())
    assert [turns.pick(person) for person in PEOPLE[:50]] == [turns.pick(person) for person in PEOPLE[:50]]
    alone = Resolved(choices[:1])
    assert {alone.pick(person) for person in PEOPLE[:50]} == {choices[0]}
