"""Says in a notification's timeline what became known of its mail after it was accepted."""

from collections.abc import Mapping
from typing import Any

from postroom.feedback.report import Kind

EVENT = "feedback"
SENTENCES = {
    Kind.DELIVERED: "The receiving server says that it has the e-mail.",
    Kind.DELAYED: "The receiving server does not take the e-mail yet{status}; the provider goes on trying.",
    Kind.BOUNCED: "The e-mail came back{status}.",
    Kind.COMPLAINED: "Its recipient complained about the e-mail.",
    Kind.UNSUBSCRIBED: "Its recipient unsubscribed at the provider.",
}


def came_back(kind: str, reason: str | None, detail: Mapping[str, Any]) -> str | None:
    """Return the sentence about an event of the timeline; None when it is about something else."""
    if kind != EVENT or reason not in list(Kind):
        return None
    status = f" ({detail['enhanced']})" if detail.get("enhanced") else ""
    return SENTENCES[Kind(reason)].format(status=status)
