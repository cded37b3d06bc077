"""The words of the product, as they stand in the database, in the API and in the engine."""

from enum import IntEnum, StrEnum


class SearchAttribute(StrEnum):
    """What a workflow can be found by in the engine's UI; the prefix keeps clear of the UI's own columns."""

    TENANT = "PostroomTenant"
    CHANNEL = "PostroomChannel"
    PRIORITY = "PostroomPriority"
    STATUS = "PostroomStatus"
    CAMPAIGN = "PostroomCampaign"


class Carries(StrEnum):
    """What one worker process carries; beside a bulk send, a process of its own keeps single messages quick."""

    EVERYTHING = "everything"
    NOTIFICATIONS = "notifications"
    CAMPAIGNS = "campaigns"


class ChannelKind(StrEnum):
    """The ways a message can reach a person."""

    EMAIL = "email"
    IN_APP = "in_app"
    WEBHOOK = "webhook"


class Priority(IntEnum):
    """Order and deadlines; lower is sooner, as Temporal counts."""

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4

    @property
    def label(self) -> str:
        """The word the API speaks."""
        return self.name.lower()


class MessageClass(StrEnum):
    """Consent, caps and what happens to an unknown outcome."""

    SECURITY = "security"
    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"


class Strategy(StrEnum):
    """Several channels: fall back in order, or all of them at once."""

    FIRST = "first"
    ALL = "all"


class NotificationState(StrEnum):
    """`open` until accounted for; the others are final."""

    OPEN = "open"
    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """The states of one message in the ledger."""

    PENDING = "pending"
    CLAIMED = "claimed"
    HANDING_OFF = "handing_off"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    HELD = "held"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


FINAL_DELIVERY_STATES = frozenset(
    {
        DeliveryState.ACCEPTED,
        DeliveryState.REJECTED,
        DeliveryState.SKIPPED,
        DeliveryState.FAILED,
        DeliveryState.EXPIRED,
        DeliveryState.CANCELLED,
    }
)


class TaskState(StrEnum):
    """The states of one bulk send."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    COMPLETED = "completed"
    COMPLETED_WITH_FAILURES = "completed_with_failures"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_TASK_STATES = frozenset(
    {TaskState.COMPLETED, TaskState.COMPLETED_WITH_FAILURES, TaskState.FAILED, TaskState.CANCELLED}
)
