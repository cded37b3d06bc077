"""Task queues: a slow provider never takes the slots of another channel, and critical messages have their own."""

from postroom.contracts.vocabulary import ChannelKind, Priority

WORKFLOWS = "workflows"
CRITICAL = "send-critical"
CAMPAIGN = "campaign"  # pages of bulk sends take no slot of what carries single messages
DIGESTS = "digests"  # a morning of digests takes no slot of what carries messages
RECURRING = "recurring"  # schedules: the pages of a large audience take no slot of what carries messages
CONTACT_FILES = "contact-files"  # nor does a million contacts


def send_queue(channel: ChannelKind, priority: Priority) -> str:
    """The queue on which a send pass waits for a slot."""
    return CRITICAL if priority is Priority.CRITICAL else f"send-{channel}"
