"""What became of the messages a template said: counted by version, variant and language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.database.engine import Connection

SECONDS = 5
LIMIT_TIME = f"SET LOCAL statement_timeout = '{SECONDS}s'"
COUNTS = """
SELECT p.template_version AS version, d.template_variant AS variant, d.language, d.state, count(*) AS count
FROM notification_contents p JOIN deliveries d ON d.notification_id = p.notification_id
WHERE p.template_id = %s
GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC, 2 NULLS LAST, 3 NULLS LAST, 4
"""


@dataclass(frozen=True, slots=True)
class Result:
    """Deliveries of one variant in one language, by state; neither is known before a message is worded."""

    version: int
    variant: str | None
    language: str | None
    counts: Mapping[str, int]


async def count_results(connection: Connection, template_id: UUID) -> Sequence[Result]:
    """Count the deliveries of a template, newest version first; ends after some seconds."""
    await connection.execute(LIMIT_TIME)
    sums: dict[tuple[int, str | None, str | None], dict[str, int]] = {}
    async for row in await connection.execute(COUNTS, (template_id,)):
        states = sums.setdefault((row["version"], row["variant"], row["language"]), {})
        states[row["state"]] = row["count"]
    return [Result(*said, counts) for said, counts in sums.items()]
