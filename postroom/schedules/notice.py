"""What is said again and again: a request without a recipient, as the database keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority, Strategy
from postroom.errors import Invalid
from postroom.notifications.request import Request
from postroom.templates.using import Use

WORDS = 100_000  # bytes of text and HTML: they are stored for each person, 500 in one transaction


@dataclass(frozen=True, slots=True)
class Notice:
    """What it says, its own words or a template's, and how it travels; `fallback_after` and `life` are in seconds.

    `template` is an id or a name, of a set when `is_set`: which version speaks is decided anew each time.
    """

    channels: Sequence[str]
    title: str | None = None
    text: str | None = None
    html: str | None = None
    template: str | None = None
    is_set: bool = False
    variables: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    strategy: str = Strategy.FIRST
    priority: int = Priority.MEDIUM
    message_class: str = MessageClass.TRANSACTIONAL
    names_class: bool = False  # otherwise a declared type decides on the class
    notification_type: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    fallback_after: float | None = None
    life: float | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read what the database keeps."""
        return cls(**stored)

    def stored(self) -> dict[str, Any]:
        """Spell it for the database."""
        return asdict(self)

    def classed(self, known: Mapping[str, MessageClass]) -> Self:
        """Give it the class of its type, as far as types are declared: a type's class is never another's."""
        declared = known.get(self.notification_type or "")
        return self if declared is None else replace(self, message_class=declared)

    def check(self, place: str, now: datetime) -> None:
        """Refuse what no channel could carry to a person; `place` is where in the body it stands.

        Raises:
            Invalid: with a pointer to the field.
        """
        self.check_words(place)
        if ChannelKind.EMAIL in self.metadata:
            detail = "One address for everybody would get every copy; addresses belong to the contacts."
            raise Invalid.at(f"{place}/metadata/{ChannelKind.EMAIL}", "shared_address", detail)
        try:
            self.request("somebody").check(now)
        except Invalid as error:
            raise below(place, error) from None

    def check_words(self, place: str) -> None:
        """Refuse words that are too long to be said to many."""
        weight = len((self.text or "").encode()) + len((self.html or "").encode())
        if weight > WORDS:
            raise Invalid.at(f"{place}/content", "content_too_large", f"Text and HTML have at most {WORDS} bytes here.")

    @property
    def life_time(self) -> timedelta | None:
        """How long it is worth sending, when it says so."""
        return None if self.life is None else timedelta(seconds=self.life)

    @property
    def use(self) -> Use | None:
        """The template it speaks with, if it does."""
        if self.template is None:
            return None
        pointer = "/template_set" if self.is_set else "/template"
        return Use(self.template, pointer, self.is_set, self.variables, self.language)

    def said(self, title: str | None, text: str | None, html: str | None) -> Self:
        """Return the same with words that are somebody's."""
        return replace(self, title=title, text=text, html=html)

    def request(self, user_id: str | None = None) -> Request:
        """Make a request of it, for one person or, within a batch, for many."""
        return Request(
            channels=tuple(map(ChannelKind, self.channels)),
            title=self.title,
            body_text=self.text,
            body_html=self.html,
            user_id=user_id,
            metadata=self.metadata,
            strategy=Strategy(self.strategy),
            priority=Priority(self.priority),
            message_class=MessageClass(self.message_class),
            names_class=self.names_class,
            notification_type=self.notification_type,
            template=self.use,
            fallback_after=None if self.fallback_after is None else timedelta(seconds=self.fallback_after),
        )


def below(place: str, error: Invalid) -> Invalid:
    """Return a refusal whose pointers begin at `place`."""
    errors = [replace(one, pointer=place + one.pointer) for one in error.errors]
    return Invalid(error.detail, code=error.code, errors=errors)
