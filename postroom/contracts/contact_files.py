"""What crosses the engine about files of contacts. Ids and counts; never a name or an address."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FileErrand:
    """The input of the workflow that reads or writes one file."""

    tenant_id: UUID
    job_id: UUID


@dataclass(frozen=True, slots=True)
class FileStanding:
    """How a file stands; `state` is "gone" when there is none."""

    state: str
    done: int = 0
    total: int = 0
