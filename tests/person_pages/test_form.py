"""A form says what its boxes say; what was not shown was not answered."""

from datetime import UTC, datetime, timedelta

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.person_pages.form import read_form
from postroom.person_pages.sheet import PauseChoice
from postroom.policy.preferences import Frequency

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_box_that_was_shown_and_is_not_ticked_says_no() -> None:
    answers = read_form(
        b"shown=marketing&was=marketing&shown=email.news&was=email.news&shown=in_app.news&on=in_app.news"
        b"&was.frequency.news=daily&frequency.news=weekly"
    )
    assert answers.marketing is False
    assert answers.on == {("news", ChannelKind.EMAIL): False, ("news", ChannelKind.IN_APP): True}
    assert answers.frequencies == {"news": Frequency.WEEKLY}
    assert answers.pause is PauseChoice.KEEP


def test_a_box_that_is_as_it_was_says_nothing() -> None:
    answers = read_form(
        b"shown=marketing&shown=email.news&was=email.news&on=email.news&was=in_app.news"
        b"&was.frequency.news=daily&frequency.news=daily"
    )
    assert (answers.marketing, answers.on, answers.frequencies) == (None, {}, {})


def test_a_ticked_box_that_was_not_shown_says_nothing() -> None:
    answers = read_form(b"on=marketing&on=email.news")
    assert (answers.marketing, answers.on) == (None, {})


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\0", b"{}", b"&" * 100_000, b"a=b&" * 10_000, b"pause=never"])
def test_junk_changes_nothing(body: bytes) -> None:
    answers = read_form(body)
    assert (answers.marketing, answers.on, answers.frequencies, answers.pause) == (None, {}, {}, PauseChoice.KEEP)


def test_names_hold_any_sign() -> None:
    answers = read_form(b"shown=email.a%2Eb%26c%3D%E4%B8%AD&on=email.a%2Eb%26c%3D%E4%B8%AD")
    assert answers.on == {("a.b&c=中", ChannelKind.EMAIL): True}


def test_how_long_a_pause_is() -> None:
    ends = [read_form(f"pause={choice}".encode()).paused_until(NOW) for choice in ("none", "week", "month", "forever")]
    assert ends == [None, NOW + timedelta(days=7), NOW + timedelta(days=30), "forever"]
