"""Whether a bulk send may leave from an address: its domain must be one that mailbox providers will believe."""

from uuid import UUID

from postroom.channels.email.addresses import parse_sender
from postroom.database.engine import Connection
from postroom.errors import Conflict, FieldError
from postroom.mail_domains.findings import Weight
from postroom.mail_domains.models import DomainState

STANDING = """
SELECT EXISTS (SELECT FROM mail_domains WHERE tenant_id = %(tenant_id)s) AS any_declared, m.state, m.findings
FROM (SELECT) AS nothing LEFT JOIN mail_domains m ON m.tenant_id = %(tenant_id)s AND m.domain = %(domain)s
"""
POINTER = "/sender/from"


async def check_ready(connection: Connection, tenant_id: UUID, from_address: str, *, required: bool) -> None:
    """Let pass a sender (`Name <a@b>` or `a@b`) whose domain is ready.

    A tenant that has declared no domain passes too, unless the deployment wants readiness (`required`) of everybody.

    Raises:
        Conflict: `domain_not_ready`, with a finding each in its errors.
        Invalid: the sender cannot be read.
    """
    domain = parse_sender(from_address).address.rpartition("@")[2]
    row = await (await connection.execute(STANDING, {"tenant_id": tenant_id, "domain": domain})).fetchone()
    if row is None or row["state"] == DomainState.READY or not (required or row["any_declared"]):
        return
    errors = [
        FieldError(POINTER, found["code"], f"{found['name']}: {found['detail']}")
        for found in row["findings"] or ()
        if found["weight"] != Weight.WARNING
    ]
    if row["state"] is None:
        errors = [FieldError(POINTER, "domain_not_declared", f"{domain} is no mail domain of this tenant.")]
    elif not errors:
        errors = [FieldError(POINTER, "domain_not_checked", f"Nobody has looked yet what DNS says of {domain}.")]
    raise Conflict(f"Mail from {domain} would not be believed.", code="domain_not_ready", errors=errors)
