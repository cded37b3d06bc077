"""Every wait, lease and deadline of the product, named once. The scale lets tests run the real plan in seconds."""

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Self

from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations at the deployment's scale; leases and due times are measured on the database's clock."""

    # A message's own plan: what to wait after the first, second and third temporary refusal; the fourth is final.
    retry_first: timedelta = timedelta(minutes=1)
    retry_second: timedelta = timedelta(minutes=5)
    retry_third: timedelta = timedelta(minutes=15)
    # A provider that cannot be reached at all: its messages wait this long, doubling from the first to the last.
    outage_first: timedelta = timedelta(seconds=5)
    outage_last: timedelta = timedelta(minutes=1)

    # The send protocol. The claim must outlive the queue for a connection, the hand-off lease the wait for the answer.
    claim_lease: timedelta = timedelta(seconds=60)
    connect_patience: timedelta = timedelta(seconds=20)
    command_patience: timedelta = timedelta(seconds=30)
    follow_patience: timedelta = timedelta(seconds=1)  # an envelope behind a body whose answer takes longer is given up
    hand_off_patience: timedelta = timedelta(minutes=10)
    mark_to_body: timedelta = timedelta(seconds=10)  # later than this after the mark, the body is not sent at all
    record_margin: timedelta = timedelta(seconds=5)  # what a lease of seconds leaves for writing the answer down
    absence_window: timedelta = timedelta(minutes=5)
    hold: timedelta = timedelta(hours=24)
    evidence_pause: timedelta = timedelta(seconds=30)
    # A provider's limits: wait in place for room this long at most; keep room that was reserved for no longer.
    limit_patience: timedelta = timedelta(seconds=2)
    limit_hold: timedelta = timedelta(seconds=1)

    # Sender services: the pause before a frozen one is tried, doubling from the first to the last; how long whoever
    # tries it may take before another one does; how long a vendor of mail over HTTP may think.
    service_pause: timedelta = timedelta(minutes=1)
    service_pause_last: timedelta = timedelta(hours=1)
    service_probe: timedelta = timedelta(minutes=2)
    vendor_answer: timedelta = timedelta(seconds=30)

    # Webhooks. A place at a busy receiver is waited for only a moment, and elsewhere than in line.
    webhook_connect: timedelta = timedelta(seconds=5)
    webhook_answer: timedelta = timedelta(seconds=15)
    webhook_words: timedelta = timedelta(seconds=2)  # for what follows the status, which has said what counts
    place_patience: timedelta = timedelta(seconds=1)
    place_pause: timedelta = timedelta(seconds=1)
    place_pause_last: timedelta = timedelta(minutes=1)
    asked_wait_last: timedelta = timedelta(hours=24)  # the longest Retry-After that is taken at its word
    secret_overlap: timedelta = timedelta(hours=24)
    event_life: timedelta = timedelta(hours=72)  # how long an event is worth telling
    endpoint_failing: timedelta = timedelta(days=5)  # nothing but failures for so long disables an endpoint

    # Carriers.
    poke_backoff: timedelta = timedelta(seconds=5)
    poke_backoff_last: timedelta = timedelta(seconds=15)
    recent_hand_over: timedelta = timedelta(seconds=10)
    watch_grace: timedelta = timedelta(seconds=20)
    release_after: timedelta = timedelta(minutes=30)
    relay_poll: timedelta = timedelta(seconds=1)
    sweep_every: timedelta = timedelta(seconds=5)

    # Digests: what waits in one comes back by itself when it has not closed for so long.
    digest_grace: timedelta = timedelta(minutes=15)
    digest_patience: timedelta = timedelta(minutes=5)
    digest_words: timedelta = timedelta(minutes=1)  # for the templates of some digests' items; the rest is told briefly
    # People: how often to look for exports and erasures, and for the end of a hand-off; how long an export is kept.
    person_poll: timedelta = timedelta(seconds=1)
    person_pause: timedelta = timedelta(seconds=15)
    export_life: timedelta = timedelta(hours=24)
    # Tasks: how often it is looked who is owed a look; how long a pass waits in place for its turn by the pace; within
    # which time those who are due again in a page wait for each other.
    task_poll: timedelta = timedelta(seconds=0.5)
    pace_stay: timedelta = timedelta(minutes=1)
    page_gather: timedelta = timedelta(seconds=5)
    # Files of contacts: an import that could not be written for so long ends; how long its report is kept.
    import_life: timedelta = timedelta(hours=24)
    report_life: timedelta = timedelta(days=30)
    # What comes back: so soon after acceptance nobody has read, and nobody follows many links so fast. Bounces
    # that may pass are counted over a window.
    touch_at_once: timedelta = timedelta(seconds=5)
    touch_burst: timedelta = timedelta(seconds=5)
    soft_window: timedelta = timedelta(days=14)
    # Schedules and sequences: how often it is looked whether the engine still has one as it should be.
    schedule_check: timedelta = timedelta(minutes=5)
    step_late: timedelta = timedelta(hours=24)  # a step of a sequence that could not be sent for longer is left out

    # Mail domains: for one question to DNS and for one look at a domain, which a caller waits for; how often to look
    # again at one that is ready, and at one that is not; a claim outlives a look.
    dns_answer: timedelta = timedelta(seconds=2)
    domain_look: timedelta = timedelta(seconds=4)
    domain_check: timedelta = timedelta(hours=6)
    domain_check_soon: timedelta = timedelta(minutes=10)
    domain_claim: timedelta = timedelta(minutes=1)
    domain_poll: timedelta = timedelta(seconds=15)
    key_overlap: timedelta = timedelta(days=7)  # how long a replaced key's record is for mail that is on its way
    # Guard rails: how often a task that sends is looked at.
    rail_check: timedelta = timedelta(seconds=3)
    # Reports: how often pages are counted beforehand, and for how long after a task has changed its state.
    line_check: timedelta = timedelta(seconds=2)
    line_late: timedelta = timedelta(minutes=10)
    # How often what came back of a young task is read for lists; a claim outlives a reading.
    standing_poll: timedelta = timedelta(seconds=5)
    standing_claim: timedelta = timedelta(minutes=1)

    # The engine.
    pass_patience: timedelta = timedelta(minutes=15)
    heartbeat_patience: timedelta = timedelta(seconds=10)
    drain: timedelta = timedelta(seconds=30)

    # How long the windows are over which a person's messages are counted.
    cap_hour: timedelta = timedelta(hours=1)
    cap_day: timedelta = timedelta(days=1)

    # Time-to-live when the caller names none, and how long one channel may try before the next has its turn.
    life_security: timedelta = timedelta(hours=1)
    life_transactional: timedelta = timedelta(hours=72)
    life_marketing: timedelta = timedelta(hours=72)
    fallback_critical: timedelta = timedelta(minutes=2)
    fallback_high: timedelta = timedelta(minutes=10)
    fallback_medium: timedelta = timedelta(minutes=30)
    fallback_low: timedelta = timedelta(hours=2)

    @classmethod
    def scaled(cls, scale: float, **asked: timedelta) -> Self:
        """Multiply every duration by `scale`; `asked` replaces defaults before scaling."""
        plain = {field.name: asked.get(field.name, getattr(_DEFAULT, field.name)) for field in fields(cls)}
        return cls(**{name: wait * scale for name, wait in plain.items()})

    @property
    def retry_plan(self) -> tuple[timedelta, ...]:
        """Waits between the attempts of one message."""
        return (self.retry_first, self.retry_second, self.retry_third)

    def hand_off_lease(self, channel: ChannelKind) -> timedelta:
        """How long a marked message belongs to its sender: longer than everything that may follow the mark."""
        return (
            self.mark_to_body
            + {
                ChannelKind.EMAIL: self.hand_off_patience + self.command_patience,
                ChannelKind.IN_APP: self.record_margin,
                ChannelKind.WEBHOOK: self.webhook_answer + self.webhook_words + self.record_margin,
            }[channel]
        )

    @property
    def cap_windows(self) -> tuple[timedelta, timedelta]:
        """Hour and day of the caps, each longer by a claim: so long a message may take to leave once counted."""
        return self.cap_hour + self.claim_lease, self.cap_day + self.claim_lease

    def life(self, message_class: MessageClass) -> timedelta:
        """Time-to-live of a notification that names none."""
        return {
            MessageClass.SECURITY: self.life_security,
            MessageClass.TRANSACTIONAL: self.life_transactional,
            MessageClass.MARKETING: self.life_marketing,
        }[message_class]

    def fallback(self, priority: Priority) -> timedelta:
        """How long one channel may try while another one waits its turn."""
        return {
            Priority.CRITICAL: self.fallback_critical,
            Priority.HIGH: self.fallback_high,
            Priority.MEDIUM: self.fallback_medium,
            Priority.LOW: self.fallback_low,
        }[priority]


_DEFAULT = Timing()
