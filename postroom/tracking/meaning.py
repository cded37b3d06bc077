"""What touches say of somebody: the one definition that rules, reports and lists of recipients go by.

Whoever clicked has the message before them, though its pictures were never loaded: a click is an open. Only what no
machine did counts as done by the person.
"""

from collections.abc import Mapping
from enum import StrEnum


class Touch(StrEnum):
    """What was done with a message."""

    OPEN = "open"
    CLICK = "click"


OPEN, CLICK = Touch.OPEN, Touch.CLICK
# Which touches make somebody an opener, or a clicker.
MEANT: Mapping[Touch, tuple[Touch, ...]] = {OPEN: (OPEN, CLICK), CLICK: (CLICK,)}
