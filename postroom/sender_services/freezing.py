"""Freezes and thaws a service by hand; a service that an operator froze does not thaw by itself."""

from uuid import UUID

from postroom.database.engine import Connection
from postroom.sender_services.telling import announce
from postroom.sender_services.waking import resume_tasks
from postroom.webhooks.models import EventType

FREEZE = """
UPDATE sender_services
SET status = 'frozen', frozen_by = 'operator', reason = 'operator', frozen_at = now(), pause = NULL, probe_at = NULL,
    probe_token = NULL, probe_until = NULL, updated_at = now()
WHERE id = %s AND frozen_by IS DISTINCT FROM 'operator'
RETURNING *
"""
THAW = """
UPDATE sender_services
SET status = 'active', frozen_by = NULL, reason = NULL, frozen_at = NULL, errors = 0, pause = NULL, probe_at = NULL,
    probe_token = NULL, probe_until = NULL, last_error_at = NULL, updated_at = now()
WHERE id = %s AND status = 'frozen'
RETURNING *
"""


async def freeze(connection: Connection, service_id: UUID) -> None:
    """Freeze a service, in the tenant's transaction; one that its health froze is now frozen for good."""
    if row := await (await connection.execute(FREEZE, (service_id,))).fetchone():
        await announce(connection, EventType.SERVICE_FROZEN, row)


async def thaw(connection: Connection, service_id: UUID) -> None:
    """Thaw a service, in the tenant's transaction, and resume the tasks that waited for it."""
    if row := await (await connection.execute(THAW, (service_id,))).fetchone():
        await announce(connection, EventType.SERVICE_THAWED, row)
        await resume_tasks(connection)
