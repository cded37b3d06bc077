"""The most particular word of a person decides, then the type's own default; marketing needs consent not withdrawn."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.policy.preferences import Frequency, Wish
from postroom.subscriptions.effective import Why, effective
from postroom.subscriptions.kinds import Defaults, Kind

EMAIL = ChannelKind.EMAIL
MOMENT = datetime(2026, 11, 20, tzinfo=UTC)
NO_MARKETING = {"marketing": {"email": {"given": False, "at": "2026-11-20T10:00:00+00:00"}}}
# From the widest to the most particular.
PLACES = [
    ("*", "*"),
    ("*", "email"),
    ("group:news", "*"),
    ("group:news", "email"),
    ("digest", "*"),
    ("digest", "email"),
]


def kind(message_class: MessageClass = MessageClass.MARKETING, defaults: Defaults | None = None) -> Kind:
    return Kind("digest", "news", message_class, None, defaults or Defaults(), created_at=MOMENT, updated_at=MOMENT)


@pytest.mark.parametrize(("wide", "particular"), list(pairwise(PLACES)))
@pytest.mark.parametrize("wanted", [True, False])
def test_the_more_particular_word_decides(
    wide: tuple[str, str],
    particular: tuple[str, str],
    wanted: bool,  # noqa: FBT001 - one of two cases
) -> None:
    wishes = {wide: Wish(not wanted), particular: Wish(wanted, Frequency.DAILY)}
    said = effective(kind(), EMAIL, wishes, {})
    assert (said.enabled, said.frequency) == (wanted, Frequency.DAILY)


def test_it_says_whose_word_it_was() -> None:
    said = [effective(kind(), EMAIL, {place: Wish()}, {}).because for place in PLACES]
    assert said == [Why.EVERYTHING] * 2 + [Why.GROUP] * 2 + [Why.TYPE] * 2
    assert effective(kind(), EMAIL, {("digest", "in_app"): Wish(enabled=False)}, {}).because is Why.DEFAULT


def test_a_default_about_the_channel_goes_before_the_one_for_all() -> None:
    quiet = kind(defaults=Defaults(enabled=True, channels={EMAIL: False}, frequency=Frequency.WEEKLY))
    assert [effective(quiet, channel, {}, {}).enabled for channel in (EMAIL, ChannelKind.IN_APP)] == [False, True]
    assert effective(quiet, EMAIL, {}, {}).frequency is Frequency.WEEKLY


def test_consent_that_was_withdrawn_stops_marketing_and_nothing_else() -> None:
    wishes = {("digest", "email"): Wish()}
    assert effective(kind(), EMAIL, wishes, NO_MARKETING).because is Why.CONSENT
    assert not effective(kind(), EMAIL, wishes, NO_MARKETING).enabled
    assert effective(kind(), ChannelKind.IN_APP, wishes, NO_MARKETING).enabled
    assert effective(kind(MessageClass.TRANSACTIONAL), EMAIL, wishes, NO_MARKETING).enabled


def test_nobody_is_without_security() -> None:
    wishes = {place: Wish(enabled=False, frequency=Frequency.WEEKLY) for place in PLACES}
    said = effective(kind(MessageClass.SECURITY), EMAIL, wishes, NO_MARKETING)
    assert (said.enabled, said.frequency, said.because) == (True, Frequency.IMMEDIATE, Why.SECURITY)
