"""The words policy gives its verdicts, as they stand in the ledger and in the timeline."""

from enum import StrEnum


class Wait(StrEnum):
    """Why a message waits though nothing is wrong with it."""

    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"
    DIGEST = "digest"
    PAUSED = "paused"


class Refusal(StrEnum):
    """Why a message is not sent at all; the first two come from the lists of addresses, the others from the person."""

    SUPPRESSED = "suppressed"
    ERASED = "erased"
    UNSUBSCRIBED = "unsubscribed"
    NO_CONSENT = "no_consent"
