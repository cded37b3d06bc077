"""What notifications can be like and what can happen to them, drawn at random; times count in ticks."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from hypothesis import strategies as st

from postroom.channels.base import Verdict
from postroom.contracts.vocabulary import ChannelKind, MessageClass, Strategy

TICK = timedelta(hours=1)
LAST_ACTION = 8
PAUSE = 4  # ticks
NIGHT = 3  # ticks that are left of it when a life begins
EMAIL, IN_APP = ChannelKind.EMAIL, ChannelKind.IN_APP


class Address(StrEnum):
    """What is known of a person over one channel."""

    PRESENT = "present"
    SUPPRESSED = "suppressed"
    MISSING = "missing"


class Mood(StrEnum):
    """What a person has said about being written to: nothing, no mail, not at all, not for a while, not at night."""

    OPEN = "open"
    NO_MAIL = "no_mail"
    NOTHING = "nothing"
    PAUSED = "paused"
    ASLEEP = "asleep"


class Word(NamedTuple):
    """What a provider does with one attempt, before or after the mark; `taken` is what its journal knows of it.

    `breaks` is a fault of our own in the middle of a hand-off.
    """

    verdict: Verdict
    marked: bool = True
    taken: bool = False
    breaks: bool = False


class Action(NamedTuple):
    """What somebody asks for, and when; a reschedule says by how many ticks."""

    verb: str
    at: int
    by: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """One notification. `words` are a provider's answers to its attempts in order; the last one is repeated."""

    channels: tuple[ChannelKind, ...]
    strategy: Strategy
    message_class: MessageClass
    email: Address
    inbox: Address
    mood: Mood
    life: int
    delay: int
    share: int
    words: tuple[Word, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Days:
    """What is the same for all: whether the relay can be asked, and the ticks at which nobody reaches it."""

    asked: bool
    away: frozenset[int]


WORDS = st.sampled_from(
    (
        Word(Verdict.ACCEPTED, taken=True),
        Word(Verdict.ACCEPTED, taken=True),
        Word(Verdict.DEFERRED),
        Word(Verdict.DEFERRED),
        Word(Verdict.DEFERRED, marked=False),
        Word(Verdict.REJECTED),
        Word(Verdict.REJECTED, marked=False),
        Word(Verdict.UNKNOWN),
        Word(Verdict.UNKNOWN, taken=True),
        Word(Verdict.DEFERRED, marked=False, breaks=True),
        Word(Verdict.UNKNOWN, breaks=True),
    )
)
WAYS = st.sampled_from(((EMAIL,), (EMAIL,), (IN_APP,), (EMAIL, IN_APP), (EMAIL, IN_APP), (IN_APP, EMAIL)))
ADDRESSES = st.sampled_from((*[Address.PRESENT] * 5, Address.SUPPRESSED, Address.MISSING))
ACTIONS = st.builds(
    Action,
    verb=st.sampled_from(("cancel", "cancel", "reschedule", "send_now", "retry")),
    at=st.integers(0, LAST_ACTION),
    by=st.integers(1, 4),
)
WISHES = st.builds(
    Wish,
    channels=WAYS,
    strategy=st.sampled_from((Strategy.FIRST, Strategy.FIRST, Strategy.ALL)),
    message_class=st.sampled_from(tuple(MessageClass)),
    email=ADDRESSES,
    inbox=ADDRESSES,
    mood=st.sampled_from((*[Mood.OPEN] * 6, *Mood, Mood.ASLEEP)),
    life=st.sampled_from((1, 3, 6, 30, 30)),
    delay=st.sampled_from((0, 0, 0, 1, 2, 5)),
    share=st.sampled_from((1, 3, 10)),
    words=st.lists(WORDS, min_size=1, max_size=5).map(tuple),
    actions=st.one_of(st.just(()), st.just(()), st.lists(ACTIONS, min_size=1, max_size=2).map(tuple)),
)
DAYS = st.builds(
    Days, asked=st.booleans(), away=st.one_of(st.just(frozenset()), st.frozensets(st.integers(0, 6), max_size=4))
)
