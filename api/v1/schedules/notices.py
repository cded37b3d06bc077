"""What a caller writes to say something again and again: a message without a recipient."""

from typing import Any

from pydantic import ConfigDict, Field

from api.v1.body import Body
from api.v1.fields import ChannelShare, Metadata, Word
from api.v1.notifications.bodies import PriorityWord
from api.v1.notifications.wording import EMPTY, Wording
from postroom.contracts.vocabulary import ChannelKind, MessageClass, Strategy
from postroom.errors import Invalid
from postroom.schedules.notice import Notice, below

NOTICE_EXAMPLE: dict[str, Any] = {
    "channels": ["email", "in_app"],
    "title": "Your week in the workshop",
    "content": {"text": "Three courses begin on Monday."},
    "class": "marketing",
    "notification_type": "weekly_news",
}


class Delivering(Body):
    """How it travels."""

    channel: ChannelKind | None = None
    channels: list[ChannelKind] | None = Field(default=None, min_length=1, max_length=len(ChannelKind))
    strategy: Strategy = Strategy.FIRST
    priority: PriorityWord = PriorityWord.MEDIUM
    message_class: MessageClass | None = Field(
        default=None, alias="class", description="Without it the class of the declared type, or transactional."
    )
    notification_type: Word | None = None
    metadata: Metadata = Field(default_factory=dict)
    fallback_after: ChannelShare | None = Field(
        default=None, description="How long one channel may try before the next has its turn; at most 7 days."
    )
    time_to_live: ChannelShare | None = Field(
        default=None, description="How long it is worth sending; without it what its class says. At most 7 days."
    )

    def travelling(self, place: str) -> dict[str, Any]:
        """Return the fields of a notice that are no words; `place` is where this stands in the body.

        Raises:
            Invalid: channels are named in both ways, in none, or twice.
        """
        return {
            "channels": self._channels(place),
            "strategy": str(self.strategy),
            "priority": int(self.priority.priority),
            "message_class": str(self.message_class or MessageClass.TRANSACTIONAL),
            "names_class": self.message_class is not None,
            "notification_type": self.notification_type,
            "metadata": self.metadata,
            "fallback_after": self.fallback_after and self.fallback_after.total_seconds(),
            "life": self.time_to_live and self.time_to_live.total_seconds(),
        }

    def _channels(self, place: str) -> list[str]:
        if (self.channel is None) == (self.channels is None):
            detail = "Give either a channel or a list of channels."
            raise Invalid.at(f"{place}/channel", "channel_required", detail)
        channels = [str(channel) for channel in (self.channel, *(self.channels or ())) if channel]
        if len(set(channels)) != len(channels):
            raise Invalid.at(f"{place}/channels", "duplicate_channel", "A channel is named twice.")
        return channels


class NoticeBody(Delivering, Wording):
    """What is said, and how it travels."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                NOTICE_EXAMPLE,
                {"channel": "email", "template": "weekly-news", "variables": {"shop": "Ada's"}},
            ]
        },
    )

    def notice(self, place: str) -> Notice:
        """Put it together; `place` is where it stands in the body.

        Raises:
            Invalid: it says nothing, or in two ways, or as `travelling`.
        """
        return Notice(**worded(self, place), **self.travelling(place))


def worded(body: Wording, place: str) -> dict[str, Any]:
    """Return the fields of a notice that are words, its own or a template's; raises Invalid, below `place`."""
    try:
        use = body.template_use()
    except Invalid as error:
        raise below(place, error) from None
    if use is not None:
        return {"template": use.text, "is_set": use.is_set, "variables": use.variables, "language": use.language}
    content = body.content or EMPTY
    return {"title": body.title, "text": content.text or None, "html": content.html or None}
