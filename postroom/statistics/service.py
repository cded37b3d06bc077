"""Statistics of one tenant, counted when they are asked for."""

from collections.abc import Sequence
from uuid import UUID

from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.notifications.record import limit_time
from postroom.statistics.question import Question
from postroom.statistics.repository import Line, lines_of

MOST_LINES = 10_000


class Statistics:
    """Counts from the ledger: no number is kept, so none can be wrong."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def answer(self, tenant_id: UUID, question: Question) -> Sequence[Line]:
        """Count what was created in the range, by bucket and group.

        Raises:
            Invalid: the question makes no sense, or its answer would have too many lines.
        """
        question.check()
        async with self._database.tenant_session(tenant_id) as session:
            await limit_time(session)
            lines = await lines_of(session, question, MOST_LINES + 1)
        if len(lines) > MOST_LINES:
            detail = f"The answer has more than {MOST_LINES} lines; narrow it, or group by less."
            raise Invalid(detail, code="query_too_expensive")
        return lines
