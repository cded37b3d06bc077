"""A worker that dies while it closes, wherever it stands: the next one finishes, and nothing is told twice."""

import asyncio

from postroom.contracts.digests import Closing
from tests.digests.ground import Ground
from tests.fixtures.rows import Draft, rows

PEOPLE = 60  # more than end in one transaction
MOMENTS = [0.001 * number for number in range(1, 60)]

UNTOLD = """
SELECT n.id FROM notifications n WHERE n.tenant_id = %s AND n.origin = 'request'
    AND NOT (n.state = 'skipped' AND n.reason = 'digested')
"""


async def gets_through(ground: Ground, at: Closing, moment: float) -> bool:
    """Close for so many seconds; whatever is under way then ends where it stands, a commit without its answer too."""
    try:
        async with asyncio.timeout(moment):
            await ground.closer().close(at)
    except TimeoutError:
        return False
    return True


async def test_whoever_takes_over_tells_the_rest_once(ground: Ground) -> None:
    drafts = [Draft(ground.tenant_id, user_id=f"user-{number}") for number in range(PEOPLE)]
    await asyncio.gather(*(ground.waits(draft) for draft in drafts * 2))
    await ground.let_pass()
    [closing] = await ground.closings()
    at = Closing(ground.tenant_id, closing["id"])
    through = [await gets_through(ground, at, moment) for moment in MOMENTS]
    assert not through[0], "the first moments are too early for anybody to finish"
    assert (await ground.closer().close(at)).closed
    told = await ground.told()
    assert sorted(one["user_id"] for one in told) == sorted(f"user-{number}" for number in range(PEOPLE))
    assert {one["metadata"]["digest_items"] for one in told} == {2}
    assert await rows(ground.database, UNTOLD, ground.tenant_id) == []
