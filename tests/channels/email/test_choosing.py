"""Providers with weights share the traffic exactly and smoothly; without, the first in order that can takes it."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.email.choosing import Chooser
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider, parse_providers


def provider(name: str, weight: int | None = None) -> Provider:
    return Provider(name, f"{name}.example.com", 25, Security.NONE, weight=weight)


def everybody(_: Provider) -> bool:
    return True


def names(providers: list[Provider]) -> str:
    return "".join(one.name for one in providers)


def test_without_weights_the_order_stands() -> None:
    chooser, providers = Chooser(), [provider("a"), provider("b"), provider("c")]
    assert {names(chooser.order(providers, everybody)) for _ in range(5)} == {"abc"}
    assert names(chooser.order(providers, lambda one: one.name != "a")) == "abc", "it is the breaker that refuses"


def test_the_share_is_smooth() -> None:
    chooser, providers = Chooser(), [provider("a", 5), provider("b", 1), provider("c", 1)]
    assert "".join(chooser.order(providers, everybody)[0].name for _ in range(7)) == "aabacaa"


@given(weights=st.lists(st.integers(1, 100), min_size=2, max_size=6))
def test_the_share_is_exact_over_every_round(weights: list[int]) -> None:
    chooser, providers = Chooser(), [provider(str(number), weight) for number, weight in enumerate(weights)]
    for _ in range(2):
        firsts = Counter(chooser.order(providers, everybody)[0].name for _ in range(sum(weights)))
        assert firsts == {str(number): weight for number, weight in enumerate(weights)}


def test_who_is_away_takes_no_part_and_has_nothing_to_catch_up_with() -> None:
    chooser, providers = Chooser(), [provider("a", 2), provider("b", 1), provider("c", 1)]
    away = [chooser.order(providers, lambda one: one.name != "a") for _ in range(8)]
    assert Counter(turns[0].name for turns in away) == {"b": 4, "c": 4}
    assert {turns[-1].name for turns in away} == {"a"}
    back = "".join(chooser.order(providers, everybody)[0].name for _ in range(4))
    assert Counter(back) == {"a": 2, "b": 1, "c": 1}


def test_neighbours_with_weights_are_a_group_and_the_others_stand_where_they_stand() -> None:
    first, *group, last = providers = parse_providers("smtp://first smtp://a?weight=1 smtp://b?weight=1 smtp://last")
    chooser = Chooser()
    turns = [chooser.order(providers, everybody) for _ in range(4)]
    assert {(one[0], one[-1]) for one in turns} == {(first, last)}
    assert Counter(one[1].name for one in turns) == {"a:25": 2, "b:25": 2}
    assert {len(set(one[1:3]) & set(group)) for one in turns} == {2}


def test_a_new_weight_counts_at_once() -> None:
    chooser, providers = Chooser(), [provider("a", 1), provider("b", 1)]
    chooser.order(providers, everybody)
    changed = [replace(providers[0], weight=3), providers[1]]
    assert changed == providers, "its connections stay"
    assert Counter(chooser.order(changed, everybody)[0].name for _ in range(8)) == {"a": 6, "b": 2}
