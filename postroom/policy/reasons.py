"""The words policy gives its verdicts, as they stand in the ledger and in the timeline."""

from enum import StrEnum


class Wait(StrEnum):
    """Why a message waits though nothing is wrong with it."""

    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"
    DIGEST = "digest"
    PAUSED = "paused"
