from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority
from postroom.policy.caps import Cap
from postroom.policy.decision import Allow, Defer, Digest, Skip, Verdict, counts, decide
from postroom.policy.facts import Facts, Message, Recipient
from postroom.policy.house import House
from postroom.policy.preferences import Frequency, Subject, Wish
from postroom.policy.quiet_hours import QuietHours
from postroom.policy.reasons import Refusal, Wait

NIGHT = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)  # 23:30 in Paris
MORNING = datetime(2026, 11, 21, 7, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CAPS = (Cap("hour", 2, HOUR), Cap("day", 3, DAY))
PARIS = Recipient(time_zone="Europe/Paris")
SECURITY, TRANSACTIONAL, MARKETING = MessageClass.SECURITY, MessageClass.TRANSACTIONAL, MessageClass.MARKETING
OFF, DAILY = Wish(enabled=False), Wish(frequency=Frequency.DAILY)


def facts(message_class: MessageClass = TRANSACTIONAL, person: Recipient | None = PARIS, **others: Any) -> Facts:
    priority = others.pop("priority", Priority.MEDIUM)
    subject = Subject(message_class, others.pop("channel", ChannelKind.EMAIL), "receipt", "billing")
    message = Message(subject, priority, NOON + 3 * DAY, others.pop("send_now", False), others.pop("digest", False))
    return Facts(message, others.pop("house", House()), person, **others)


def wishing(**wishes: Wish) -> Recipient:
    """`receipt_email=OFF`, `group_any=OFF`, `every_email=OFF`: whose wish about what."""
    names = {"receipt": "receipt", "group": "group:billing", "every": "*", "other": "newsletter"}
    places = {"email": "email", "any": "*", "app": "in_app"}
    spelled = {(names[(said := name.split("_"))[0]], places[said[1]]): wish for name, wish in wishes.items()}
    return replace(PARIS, wishes=spelled)


def agreeing(said: Mapping[str, Any]) -> Recipient:
    return replace(PARIS, consent={"marketing": said})


def test_nothing_known_and_nothing_in_the_way() -> None:
    assert decide(facts(), NOON) == Allow()
    assert decide(facts(person=None), NIGHT) == Allow()
    assert decide(facts(person=Recipient()), NIGHT) == Allow(), "where no zone is known, nobody's night is known"


@pytest.mark.parametrize("reason", ["hard_bounce", "complaint", "blocked"])
def test_a_list_stops_everybody_and_everything(reason: str) -> None:
    for message_class in MessageClass:
        listed = facts(message_class, suppressed=[reason], priority=Priority.CRITICAL, send_now=True)
        assert decide(listed, NOON) == Skip(Refusal.SUPPRESSED)
        assert decide(replace(listed, recipient=None), NOON) == Skip(Refusal.SUPPRESSED)


def test_a_list_goes_by_the_name_of_what_put_the_address_on_it() -> None:
    assert decide(facts(suppressed=["unsubscribed"]), NOON) == Skip(Refusal.UNSUBSCRIBED)
    assert decide(facts(suppressed=["erased"]), NOON) == Skip(Refusal.ERASED)


@pytest.mark.parametrize(
    ("person", "verdict"),
    [
        (wishing(receipt_email=OFF, receipt_any=Wish(), group_email=Wish(), every_email=Wish()), Skip),
        (wishing(receipt_any=OFF, group_email=Wish(), every_any=Wish()), Skip),
        (wishing(group_email=OFF, group_any=Wish(), every_email=Wish()), Skip),
        (wishing(group_any=OFF, every_email=Wish(), every_any=Wish()), Skip),
        (wishing(every_email=OFF, every_any=Wish()), Skip),
        (wishing(every_any=OFF), Skip),
        (wishing(receipt_email=Wish(), receipt_any=OFF, group_email=OFF, every_any=OFF), Allow),
        (wishing(receipt_app=OFF, other_email=OFF, other_any=OFF), Allow),
    ],
)
def test_the_most_particular_wish_counts(person: Recipient, verdict: type[Verdict]) -> None:
    assert isinstance(decide(facts(person=person), NOON), verdict)


def test_a_type_may_be_off_until_somebody_wants_it() -> None:
    assert decide(facts(default=OFF), NOON) == Skip(Refusal.UNSUBSCRIBED)
    assert decide(facts(default=OFF, person=wishing(receipt_any=Wish())), NOON) == Allow()


def test_no_to_marketing_stops_marketing_and_nothing_else() -> None:
    against = agreeing({"email": {"given": False}})
    assert decide(facts(MARKETING, against), NOON) == Skip(Refusal.UNSUBSCRIBED)
    assert decide(facts(MARKETING, replace(against, wishes=wishing(receipt_email=Wish()).wishes)), NOON) == Skip(
        Refusal.UNSUBSCRIBED
    )
    assert decide(facts(MARKETING, against, channel=ChannelKind.IN_APP), NOON) == Allow()
    for other in (TRANSACTIONAL, SECURITY):
        assert decide(facts(other, against), NOON) == Allow()


def test_marketing_asks_for_consent_where_the_tenant_says_so() -> None:
    strict = House(marketing_requires_consent=True)
    assert decide(facts(MARKETING, house=strict), NOON) == Skip(Refusal.NO_CONSENT)
    assert decide(facts(MARKETING, agreeing({"email": {"given": True}}), house=strict), NOON) == Allow()
    assert decide(facts(MARKETING, agreeing({"in_app": True}), house=strict), NOON) == Skip(Refusal.NO_CONSENT)
    assert decide(facts(TRANSACTIONAL, house=strict), NOON) == Allow()


def test_a_pause_defers_to_its_end_or_to_the_end_of_the_message() -> None:
    week = replace(PARIS, paused_until=NOON + 7 * DAY)
    assert decide(facts(person=week), NOON) == Defer(NOON + 7 * DAY, Wait.PAUSED, {"zone": "Europe/Paris"})
    assert decide(facts(person=week), NOON + 7 * DAY) == Allow()
    ever = replace(PARIS, paused_for_good=True)
    assert decide(facts(person=ever), NOON) == Defer(NOON + 3 * DAY, Wait.PAUSED, {"for_good": True})


def test_a_night_defers_to_the_morning_where_the_person_is() -> None:
    assert decide(facts(), NIGHT) == Defer(MORNING, Wait.QUIET_HOURS, {"zone": "Europe/Paris"})
    assert decide(facts(), MORNING) == Allow()
    tokyo = House(time_zone="Asia/Tokyo")
    assert decide(facts(house=tokyo, person=Recipient()), NIGHT) == Defer(
        NIGHT.replace(hour=23, minute=0), Wait.QUIET_HOURS, {"zone": "Asia/Tokyo"}
    )
    mine = replace(PARIS, quiet_hours=QuietHours.read({"start": "11:30", "end": "13:00"}))
    assert decide(facts(person=mine), NOON) == Defer(NOON + HOUR, Wait.QUIET_HOURS, {"zone": "Europe/Paris"})
    assert decide(facts(person=mine), NIGHT) == Allow()
    assert decide(facts(person=replace(PARIS, quiet_hours=QuietHours())), NIGHT) == Allow()


def test_a_zone_that_is_gone_is_read_as_utc_and_says_so() -> None:
    lost = decide(facts(person=Recipient(time_zone="Mars/X")), NIGHT)
    expected = {"zone": "Mars/X", "zone_unknown": True}
    assert lost == Defer(NIGHT.replace(day=21, hour=8, minute=0), Wait.QUIET_HOURS, expected)


def test_a_full_hour_defers_to_the_instant_at_which_a_place_is_free() -> None:
    taken = [NOON - timedelta(minutes=50), NOON - timedelta(minutes=10)]
    full = facts(caps=CAPS, taken=taken)
    assert decide(full, NOON) == Defer(NOON + timedelta(minutes=10), Wait.FREQUENCY_CAP, {"limit": 2, "per": "hour"})
    assert decide(full, NOON + timedelta(minutes=10)) == Allow()
    day = [NOON - 20 * HOUR, NOON - 10 * HOUR, NOON - timedelta(minutes=5)]
    assert decide(facts(caps=CAPS, taken=day), NOON) == Defer(
        NOON + 4 * HOUR, Wait.FREQUENCY_CAP, {"limit": 3, "per": "day"}
    )


def test_what_is_gathered_is_gathered_at_night_and_over_the_cap_too() -> None:
    gathered = facts(person=wishing(receipt_email=DAILY), caps=CAPS, taken=[NIGHT, NIGHT])
    closes = datetime(2026, 11, 21, 8, tzinfo=UTC)  # nine in Paris
    assert decide(gathered, NIGHT) == Digest(closes, Frequency.DAILY, {"zone": "Europe/Paris"})
    assert decide(facts(default=DAILY), NIGHT) == Digest(closes, Frequency.DAILY, {"zone": "Europe/Paris"})
    itself = facts(person=wishing(receipt_email=DAILY), digest=True)
    assert decide(itself, NIGHT) == Defer(MORNING, Wait.QUIET_HOURS, {"zone": "Europe/Paris"})


@pytest.mark.parametrize(
    ("others", "bypassed"),
    [
        ({"message_class": SECURITY}, ("unsubscribed", "paused", "digest", "quiet_hours", "frequency_cap")),
        ({"priority": Priority.CRITICAL, "person": {}}, ("paused", "digest", "quiet_hours", "frequency_cap")),
        ({"send_now": True, "person": {"paused_for_good": False}}, ("digest", "quiet_hours", "frequency_cap")),
    ],
)
def test_what_is_lifted_is_named(others: dict[str, Any], bypassed: tuple[str, ...]) -> None:
    person = replace(PARIS, paused_for_good=True, wishes={("receipt", "*"): replace(DAILY, enabled="person" in others)})
    asked = facts(**others | {"person": replace(person, **others.get("person", {}))}, caps=CAPS, taken=[NIGHT, NIGHT])
    assert decide(asked, NIGHT) == Allow(bypassed)
    assert not counts(asked)


def test_marketing_is_never_urgent_enough() -> None:
    asked = facts(MARKETING, priority=Priority.CRITICAL, caps=CAPS)
    assert decide(asked, NIGHT) == Defer(MORNING, Wait.QUIET_HOURS, {"zone": "Europe/Paris"})
    assert counts(asked)


def test_what_is_refused_stays_refused_when_it_is_asked_for_now() -> None:
    assert decide(facts(person=wishing(receipt_any=OFF), send_now=True), NOON) == Skip(Refusal.UNSUBSCRIBED)
    paused = replace(PARIS, paused_until=NOON + DAY)
    assert isinstance(decide(facts(person=paused, send_now=True), NOON), Defer)


def test_a_webhook_wakes_nobody() -> None:
    person = replace(wishing(every_any=DAILY), paused_for_good=True)
    assert decide(facts(person=person, channel=ChannelKind.WEBHOOK), NIGHT) == Allow()
    assert decide(facts(person=wishing(receipt_any=OFF), channel=ChannelKind.WEBHOOK), NIGHT) == Skip(
        Refusal.UNSUBSCRIBED
    )
    assert House().caps(Subject(MARKETING, ChannelKind.WEBHOOK), HOUR, DAY) == ()
