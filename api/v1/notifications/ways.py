"""What a caller writes about the channels of a message: one, or a list in their order."""

from pydantic import Field

from api.v1.body import Body
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import Invalid


class Ways(Body):
    """Over which channels: either `channel` or `channels`."""

    channel: ChannelKind | None = None
    channels: list[ChannelKind] | None = Field(default=None, min_length=1, max_length=len(ChannelKind))

    def ways(self) -> tuple[ChannelKind, ...]:
        """Return the channels.

        Raises:
            Invalid: there is none, or both fields name some, or one is named twice.
        """
        if (self.channel is None) == (self.channels is None):
            raise Invalid.at("/channel", "channel_required", "Give either a channel or a list of channels.")
        channels = tuple(self.channels or ()) or ((self.channel,) if self.channel else ())
        if len(set(channels)) != len(channels):
            raise Invalid.at("/channels", "duplicate_channel", "A channel is named twice.")
        return channels
