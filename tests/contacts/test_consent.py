"""Of two words about the same thing the later one stands, in whichever order they come."""

from datetime import UTC, datetime, timedelta

from postroom.contacts.consent import Given, changes, marketing, merged
from postroom.contracts.vocabulary import ChannelKind

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
YES = marketing(Given(given=True, at=NOON, source="signup form"), ChannelKind.EMAIL)
NO = marketing(Given(given=False, at=NOON + timedelta(hours=1)), ChannelKind.EMAIL)


def test_the_later_word_stands() -> None:
    withdrawn = {"marketing": {"email": {"given": False, "at": "2026-11-20T13:00:00+00:00"}}}
    assert merged(merged({}, YES), NO) == withdrawn
    assert merged(merged({}, NO), YES) == withdrawn


def test_another_channel_is_another_matter() -> None:
    both = merged(merged({}, NO), marketing(Given(given=True, at=NOON), ChannelKind.IN_APP))
    assert {channel: said["given"] for channel, said in both["marketing"].items()} == {"email": False, "in_app": True}


def test_what_is_known_is_left_as_it_was() -> None:
    known = merged({}, YES)
    assert merged(known, {}) == known
    merged(known, NO)
    assert known == merged({}, YES)


def test_only_what_is_another_now_is_a_change() -> None:
    before = merged({}, YES)
    assert list(changes(before, merged(before, YES))) == []
    [(channel, old, new)] = changes(before, merged(before, NO))
    assert (channel, old["given"], new["given"]) == ("email", True, False)
