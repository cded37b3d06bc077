"""What may be done with a task in which state; everything else is a conflict that names the state."""

from collections.abc import Mapping
from enum import StrEnum

from postroom.campaigns.models import Task, TaskReason
from postroom.contracts.vocabulary import TaskState
from postroom.errors import Conflict


class Action(StrEnum):
    """What somebody asks to do with a task."""

    CHANGE = "change"
    DELETE = "delete"
    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    LAUNCH = "launch"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    PACE = "pace"
    SKIP = "skip"
    RETRY = "retry"


RUNNING = frozenset({TaskState.SCHEDULED, TaskState.SENDING, TaskState.PAUSED})
UNLAUNCHED = frozenset({TaskState.DRAFT, TaskState.IN_REVIEW})
ENDED = frozenset({TaskState.COMPLETED, TaskState.COMPLETED_WITH_FAILURES})

ALLOWED: Mapping[Action, frozenset[TaskState]] = {
    Action.CHANGE: frozenset({TaskState.DRAFT}),
    Action.DELETE: frozenset({TaskState.DRAFT}),
    Action.SUBMIT: UNLAUNCHED,
    Action.APPROVE: frozenset({TaskState.IN_REVIEW}),
    Action.REJECT: frozenset({TaskState.IN_REVIEW}),
    Action.WITHDRAW: frozenset({TaskState.IN_REVIEW}),
    Action.LAUNCH: UNLAUNCHED,
    Action.PAUSE: RUNNING,
    Action.RESUME: frozenset({TaskState.PAUSED}),
    Action.CANCEL: RUNNING,
    Action.PACE: RUNNING | UNLAUNCHED,
    Action.SKIP: frozenset({TaskState.SENDING, TaskState.PAUSED}),
    Action.RETRY: frozenset({TaskState.SENDING, TaskState.PAUSED}) | ENDED,
}
# Over these pauses an operator's own goes: the house would end them by itself.
OPERATORS = frozenset({TaskReason.REQUESTED, TaskReason.CANCELLING})


def allows(task: Task, action: Action) -> bool:
    """Tell whether the state of a task, read under its lock, allows something."""
    if task.cancel_requested:
        return False
    if action is Action.PAUSE and task.state is TaskState.PAUSED:
        return task.reason not in OPERATORS
    return task.state in ALLOWED[action]


def require(task: Task, action: Action) -> None:
    """Refuse what the state of a task does not allow.

    Raises:
        Conflict: the code names the state, `task_paused` say, or `task_cancelling`.
    """
    if allows(task, action):
        return
    if task.cancel_requested and task.state in RUNNING:
        raise Conflict("The task is being cancelled; that cannot be stopped.", code=f"task_{TaskReason.CANCELLING}")
    *states, last = [one for one in TaskState if one in ALLOWED[action] and one is not task.state]
    fit = f"{', '.join(states)} or {last}" if states else last
    raise Conflict(f"The task is {task.state}; {action} is for one that is {fit}.", code=f"task_{task.state}")
