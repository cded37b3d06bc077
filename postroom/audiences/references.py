"""What a rule refers to: earlier tasks, which must be there."""

from postroom.audiences.rules import Selection
from postroom.database.engine import Connection
from postroom.errors import FieldError, Invalid

THERE = "SELECT id FROM campaign_tasks WHERE id = ANY(%(ids)s)"


async def check_references(connection: Connection, selection: Selection) -> None:
    """Refuse a rule about tasks that the tenant does not have; inside the tenant's transaction.

    Raises:
        Invalid: `task_not_found`, with a pointer to each.
    """
    if not selection.tasks:
        return
    found = await connection.execute(THERE, {"ids": [task_id for task_id, _ in selection.tasks]})
    known = {row["id"] async for row in found}
    errors = [
        FieldError(place, "task_not_found", "There is no such task.")
        for task_id, place in selection.tasks
        if task_id not in known
    ]
    if errors:
        raise Invalid(errors[0].detail, code=errors[0].code, errors=errors)
