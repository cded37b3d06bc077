"""Whether a task may go over the services it names, asked before it is launched."""

from collections.abc import Sequence
from uuid import UUID

from postroom.channels.email.addresses import parse_sender
from postroom.database.engine import Connection
from postroom.errors import Invalid

POINTER = "/sender/services"
ACCESS = """
SELECT s.id, s.from_domains, NOT EXISTS (SELECT FROM sender_service_bindings b WHERE b.service_id = s.id)
    OR EXISTS (SELECT FROM sender_service_bindings b
               WHERE b.service_id = s.id AND b.api_key_id = %(key)s) AS allowed
FROM sender_services s WHERE s.tenant_id = %(tenant_id)s
"""


async def check_services(
    connection: Connection, owner: tuple[UUID, UUID], ids: Sequence[UUID], from_address: str
) -> None:
    """Refuse services that a task of this tenant and key may not go over; `ids` empty stands for whatever it may use.

    Frozen ones are fine: they may have thawed by then. Runs in the tenant's transaction.

    Raises:
        Invalid: `sender_service_not_found` (another key's too), `from_domain_not_allowed`, or, where nothing is named
            and the tenant has services, `no_sender_service`; with a pointer below /sender.
    """
    tenant_id, api_key_id = owner
    rows = await (await connection.execute(ACCESS, {"tenant_id": tenant_id, "key": api_key_id})).fetchall()
    allowed = {row["id"]: row["from_domains"] for row in rows if row["allowed"]}
    for at, service_id in enumerate(ids):
        if service_id not in allowed:
            detail = "There is no such sender service, or this key may not use it."
            raise Invalid.at(f"{POINTER}/{at}", "sender_service_not_found", detail)
    if not rows:
        return
    if not allowed:
        raise Invalid.at("/sender", "no_sender_service", "Every sender service is bound to other keys.")
    domain = parse_sender(from_address).address.rpartition("@")[2].lower()
    wanted = ids or list(allowed)
    if not any(not allowed[one] or domain in allowed[one] for one in wanted):
        detail = "No service that this task may use sends from this domain."
        raise Invalid.at("/sender/from", "from_domain_not_allowed", detail)
