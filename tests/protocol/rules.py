"""What a world of the model obeys and how large it is: the rules that can be switched off, the faults to come."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rules:
    """One switch per rule of the protocol; a test switches one off to see what goes wrong without it."""

    look_reads_under_lock: bool = True
    wake_by_always_set: bool = True
    evidence_names_attempt: bool = True
    retry_spares_accepted: bool = True
    release_reads_under_lock: bool = True
    look_counts_settleable: bool = True
    control_writes_delivery: bool = True
    mark_checks_time: bool = True
    close_only_when_empty: bool = True
    rows_decide: bool = True
    hand_off_is_never_reclaimed: bool = True
    absence_waits: bool = True
    absence_is_asked_after_window: bool = True
    reschedule_outlives_fall_back: bool = True
    acceptance_needs_no_token: bool = True
    resend_stays_ambiguous: bool = True
    expiry_spares_in_flight: bool = True
    owed_until_looked: bool = True
    start_proves_nothing: bool = True
    control_owes_wake_up: bool = True
    rows_are_counted: bool = True
    join_rechecks_carrier: bool = True


@dataclass(frozen=True, slots=True)
class Ticks:
    """Durations; only their order matters. A connection lives no longer than the absence window."""

    claim_lease: int = 1
    hand_off_lease: int = 1
    connection: int = 2
    absence_window: int = 2
    hold: int = 1
    retry: int = 1
    question: int = 1
    outage: int = 1
    backoff: int = 1
    grace: int = 1
    pass_patience: int = 1
    life: int = 4
    channel_life: int = 2
    delay: int = 1


@dataclass(frozen=True, slots=True)
class World:
    """A bounded world. `answers`: the provider can be asked; `resends`: policy answers silence with a re-send."""

    rules: Rules = field(default_factory=Rules)
    ticks: Ticks = field(default_factory=Ticks)
    notes: int = 1
    workers: int = 2
    slots: int = 2
    channels: int = 1
    attempts: int = 2
    answers: bool = True
    resends: bool = True
    scheduled: int = 0
    faults: int = 2
    actions: int = 1
