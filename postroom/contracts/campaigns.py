"""What crosses the engine between a task's workflow and its activities. Ids, counts and times; never an address."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TaskErrand:
    """The input of the workflow of one bulk send; `heartbeat` and `patience` bound one pass over a page."""

    tenant_id: UUID
    task_id: UUID
    heartbeat: timedelta
    patience: timedelta
    window: int


@dataclass(frozen=True, slots=True)
class LookAtTask:
    """The input of a look, of freezing the audience and of the audit at the end; `window` is what the run takes on."""

    tenant_id: UUID
    task_id: UUID
    window: int = 1


@dataclass(frozen=True, slots=True)
class PagePass:
    """The input of one pass over a page of the frozen audience, and in turn over the `also` pages when many are due."""

    tenant_id: UUID
    task_id: UUID
    page: int
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """What the rows say: the task is over, its audience is to be frozen, pages are due, or how long to wait and why.

    `audit` asks whether everybody is accounted for: nothing else is left to do. `due` are numbers of pages, the most
    pressing first, at most a few windows of them. `wait` counts from the look; None when nothing but a signal is
    awaited. `counts` are recipients by state.
    """

    closed: bool
    freeze: bool = False
    audit: bool = False
    due: tuple[int, ...] = ()
    wait: timedelta | None = None
    story: str = ""
    status: str = ""
    counts: dict[str, int] = field(default_factory=dict)
