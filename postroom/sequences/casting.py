"""Looks up the templates of the steps that are due, before anything is locked for them."""

from collections.abc import Mapping
from uuid import UUID

from postroom.contracts.recurring import Moment
from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.sequences.course import Course
from postroom.templates.casting import Casting
from postroom.templates.pinning import pin

Castings = Mapping[int, Casting | str]  # by position: the version that speaks, or the code why none does

DUE = """
SELECT e.tenant_id, e.user_id, e.variables, v.content, array_agg(s.position ORDER BY s.position) AS positions
FROM enrolments e JOIN enrolment_steps s ON s.enrolment_id = e.id
    JOIN sequence_versions v ON v.sequence_id = e.sequence_id AND v.version = e.version
WHERE e.id = %(id)s AND e.state = 'active' AND s.state = 'waiting' AND s.due_at <= %(now)s
GROUP BY e.id, v.sequence_id, v.version
"""


async def cast(database: Database, at: Moment) -> Castings:
    """Choose the versions with which the steps that are due speak; steps with words of their own have none."""
    async with database.tenant_transaction(at.tenant_id) as connection:
        row = await (await connection.execute(DUE, {"id": at.enrolment_id, "now": at.now})).fetchone()
    if row is None:
        return {}
    course, found = Course.read(row["content"]), dict[int, Casting | str]()
    for position in row["positions"]:
        use = course.use(position, row["variables"])
        if use is None:
            continue
        try:
            channels = course.notice(position).request().channels
            found[position] = await pin(database, use, channels, (UUID(str(row["tenant_id"])), row["user_id"]))
        except Invalid as error:
            found[position] = error.code
    return found
