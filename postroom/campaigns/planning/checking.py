"""Everything that must hold before anything may leave: asked when a review is asked for, and again at the launch."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from postroom.audiences.rules import compile_rule
from postroom.campaigns.models import Task
from postroom.campaigns.planning.pinning import Pins, pin
from postroom.campaigns.planning.terms import Terms
from postroom.database.engine import Connection
from postroom.errors import FieldError, Invalid
from postroom.subscriptions.kind_repository import classes_of
from postroom.tenants.gate import Identity

# Refuses with Invalid and pointers below /sender, or with Conflict, what a key may not send from, or from where nothing
# may leave yet. It is asked only about a sender that can be read.
SenderCheck = Callable[[Connection, Identity, Task], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class LaunchChecks:
    """What a launch asks of the other parts of the house."""

    senders: Sequence[SenderCheck] = ()

    async def pass_on(self, connection: Connection, who: Identity, task: Task, now: datetime) -> Pins:
        """Check a task that is locked, and pin its contents.

        Raises:
            Invalid: with a pointer to everything that is wrong.
        """
        errors = list(Terms.of(task).checks(now))
        try:
            compile_rule(task.rule, task.tenant_id)
        except Invalid as error:
            errors.append(error)
        readable = not any(one.pointer.startswith("/sender") for error in errors for one in error.errors)
        for check in (_check_type, *(self.senders if readable else ())):
            try:
                await check(connection, who, task)
            except Invalid as error:
                errors.append(error)
        try:
            pins = await pin(connection, task)
        except Invalid as error:
            raise merged([*errors, error]) from None
        if errors:
            raise merged(errors)
        return pins


def merged(found: Sequence[Invalid]) -> Invalid:
    """Return everything that was found wrong as one refusal."""
    errors = [one for error in found for one in error.errors or [FieldError("", error.code, error.detail)]]
    detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} things are wrong."
    codes = {one.code for one in errors}
    return Invalid(detail, code=codes.pop() if len(codes) == 1 else Invalid.code, errors=errors)


async def _check_type(connection: Connection, who: Identity, task: Task) -> None:
    if task.notification_type is None:
        return
    declared = (await classes_of(connection, who.tenant_id)).get(task.notification_type)
    if declared is None:
        raise Invalid.at("/notification_type", "unknown_notification_type", "Nobody has declared this type.")
    if declared != task.message_class:
        detail = f"The type {task.notification_type} is {declared}; leave the class out."
        raise Invalid.at("/class", "class_conflicts_with_type", detail)
