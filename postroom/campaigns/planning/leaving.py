"""Where a task may leave from: services that its key may use, and a domain that would be believed."""

from dataclasses import dataclass

from postroom.campaigns.models import Task
from postroom.database.engine import Connection
from postroom.identity import SENDER_SERVICE, parse_id
from postroom.mail_domains.readiness import check_ready
from postroom.sender_services.checking import check_services
from postroom.tenants.gate import Identity


@dataclass(frozen=True, slots=True)
class Departures:
    """Asks the keepers of services and domains; `mail_from` is what a task that names no sender is from."""

    mail_from: str
    domains_required: bool

    async def check_services(self, connection: Connection, who: Identity, task: Task) -> None:
        """Refuse services that the key may not use, and a domain that none of them sends for.

        Raises:
            Invalid: with a pointer below /sender.
        """
        ids = [parse_id(SENDER_SERVICE, one) for one in task.sender.get("services", ())]
        await check_services(connection, (who.tenant_id, who.key_id), ids, self._sender(task))

    async def check_domain(self, connection: Connection, who: Identity, task: Task) -> None:
        """Refuse a domain that is not ready.

        Raises:
            Conflict: `domain_not_ready`, with a finding each.
        """
        await check_ready(connection, who.tenant_id, self._sender(task), required=self.domains_required)

    def _sender(self, task: Task) -> str:
        return str(task.sender.get("from") or self.mail_from)
