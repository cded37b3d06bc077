"""Where the house keeps what it knows of a person: the one list that export and erasure go by.

A table that names a person, or a notification of theirs, stands here or in the list of those that hold nothing of
anybody's, in `tests/privacy/test_holdings.py`; a new one fails that test until it does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Tie(StrEnum):
    """The column by which a row belongs to a person."""

    PERSON = "user_id"
    NOTIFICATION = "notification_id"
    DELIVERY = "delivery_id"


@dataclass(frozen=True, slots=True)
class Holding:
    """One table.

    `wiped` says what an erasure leaves in which columns of rows that stay; without it the rows go. `hidden` are columns
    an export leaves out, because they say nothing about the person; `shown` replaces the row as a whole. `kept` rows
    stay as they are: they hold no words, and what they belong to names nobody any more.
    """

    table: str
    tie: Tie
    order: str
    wiped: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ("tenant_id",)
    shown: str | None = None
    kept: bool = False


# What a provider said may repeat an address; the code it begins with may not.
CODE = "CASE WHEN event IN ('accepted', 'deferred', 'rejected') THEN substring(detail FROM '^[a-z0-9_]+(?=: |$)') END"
# Of what an event tells, names, numbers and times of ours stay, which the timeline needs; a zone is the person's.
TOLD = (
    "channel,provider,due_at,until,not_before,wait_seconds,closes_at,line,column,limit,per,for_good,bypassed,because,"
    "digest,notification,items,version,template_id"
)
DETAIL = f"""
coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(detail) WHERE key = ANY('{{{TOLD}}}')), '{{}}')
"""
# Of an event for an endpoint, what tells of the message and not of the person.
SAID = "notification_id,status,reason,channel,notification_type,job_id,created_at,ended_at,endpoint_id"
DATA = f"coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(data) WHERE key = ANY('{{{SAID}}}')), '{{}}')"
LARGEST_MESSAGE = 262_144
MESSAGE = f"""
jsonb_build_object('delivery_id', t.delivery_id, 'size', octet_length(t.message), 'base64',
    CASE WHEN octet_length(t.message) <= {LARGEST_MESSAGE} THEN encode(t.message, 'base64') END)
"""
INTERNAL = ("tenant_id", "address_hash", "token", "lease_until", "worker", "sha256")

HOLDINGS = (
    Holding("contacts", Tie.PERSON, "created_at"),
    Holding("contact_tags", Tie.PERSON, "tag"),
    Holding("preferences", Tie.PERSON, "updated_at"),
    Holding("preference_events", Tie.PERSON, "id", hidden=("tenant_id", "id")),
    Holding("contact_usage", Tie.PERSON, "channel, class"),
    Holding("digests", Tie.PERSON, "id"),
    Holding("enrolments", Tie.PERSON, "id"),
    Holding("task_recipients", Tie.PERSON, "task_id", wiped={"user_id": "NULL", "domain": "NULL"}),
    Holding("enrolment_steps", Tie.NOTIFICATION, "enrolment_id, position"),
    Holding("digest_items", Tie.NOTIFICATION, "digest_id"),
    Holding(
        "notification_contents",
        Tie.NOTIFICATION,
        "notification_id",
        wiped={
            "title": "NULL",
            "body_text": "NULL",
            "body_html": "NULL",
            "metadata": "'{}'",
            "variables": "NULL",
            "language": "NULL",
        },
    ),
    Holding("notification_attachments", Tie.NOTIFICATION, "position", hidden=INTERNAL),
    Holding("inbox_messages", Tie.NOTIFICATION, "id"),
    Holding("idempotency_keys", Tie.NOTIFICATION, "created_at", hidden=("tenant_id", "request_hash")),
    Holding("notification_events", Tie.NOTIFICATION, "id", wiped={"detail": DETAIL}, hidden=("tenant_id", "id")),
    Holding(
        "deliveries",
        Tie.NOTIFICATION,
        "position",
        wiped={"address": "NULL", "language": "NULL", "template_variant": "NULL"},
        hidden=INTERNAL,
    ),
    Holding("delivery_attempts", Tie.DELIVERY, "id", wiped={"detail": CODE}, hidden=(*INTERNAL, "id")),
    Holding("delivery_messages", Tie.DELIVERY, "delivery_id", shown=MESSAGE),
    Holding("delivery_feedback", Tie.DELIVERY, "id", wiped={"detail": "NULL"}, hidden=(*INTERNAL, "id")),
    Holding("delivery_touches", Tie.DELIVERY, "id", hidden=(*INTERNAL, "id"), kept=True),
    Holding("webhook_messages", Tie.NOTIFICATION, "occurred_at", wiped={"data": DATA}),
)

# What is found by naming the person is wiped last, when nothing can be written about them any more.
NAMING = frozenset({"webhook_messages"})


def tied_by(tie: Tie) -> list[Holding]:
    """Return the tables whose rows belong to a person in this way."""
    return [holding for holding in HOLDINGS if holding.tie is tie]
