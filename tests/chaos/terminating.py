"""An operator's hand: terminates the runs that carry notifications."""

from collections.abc import Sequence
from uuid import UUID

from temporalio.service import RPCError, RPCStatusCode

from tests.chaos.house import House
from workflows.engine import connect

CARRIERS = """
SELECT DISTINCT c.workflow_id FROM carriers c JOIN notifications n ON n.carrier_id = c.id WHERE n.id = ANY(%s)
"""


async def terminate_running(house: House, ids: Sequence[UUID]) -> int:
    """Terminate the runs that carry these, and return how many; some may not have begun, or be over already."""
    client = await connect(house.temporal_address, "default")
    terminated = 0
    for row in await house.rows(CARRIERS, list(ids)):
        try:
            await client.get_workflow_handle(row["workflow_id"]).terminate("by hand")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            terminated += 1
    return terminated
