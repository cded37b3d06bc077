"""What follows from a bounce for the address: one table, by enhanced status (RFC 3463; IANA's registry of codes)."""

from enum import StrEnum

from postroom.channels.email.answers import UNKNOWN_MAILBOX

SOFT_BOUNCES = 5  # of one address inside the window suppress it
DISABLED_BOUNCES = 2  # of a mailbox that is said to be disabled (5.2.1)
DISABLED = "5.2.1"


class Consequence(StrEnum):
    """What is done about an address."""

    SUPPRESS = "suppress"  # there is no such mailbox, and there will be none
    COUNT = "count"  # it may come back: enough of these suppress
    NOTHING = "nothing"  # it says something about us, or about this message


# Policy, authentication and content speak of the sender and of what was sent, never of the mailbox.
_ABOUT_US = ("7", "6")
_ABOUT_THE_MESSAGE = frozenset({"2.3", "3.4", "3.3"})


def consequence(enhanced: str | None, *, permanent: bool) -> Consequence:
    """Say what a bounce asks for; without a status only its class is known, which is too little to suppress at once."""
    if enhanced is None:
        return Consequence.COUNT
    _, subject, detail = enhanced.split(".")
    if permanent and enhanced in UNKNOWN_MAILBOX:
        return Consequence.SUPPRESS
    if subject in _ABOUT_US or f"{subject}.{detail}" in _ABOUT_THE_MESSAGE:
        return Consequence.NOTHING
    return Consequence.COUNT
