"""Which endpoint a notification goes to: the one it names, by id or by URL, as far as the tenant has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.egress.targets import parse_target
from postroom.errors import Invalid
from postroom.identity import ENDPOINT, public_id
from postroom.webhooks.models import EndpointState

STANDING = "SELECT id, url, state FROM webhook_endpoints"
NAMED = """
SELECT notification_id, endpoint_id FROM webhook_messages WHERE notification_id = ANY(%(ids)s)
"""
AT = "SELECT url, state FROM webhook_endpoints WHERE url = ANY(%(urls)s)"
POINTER = "/metadata/webhook_url"
NO_ENDPOINT = "no_such_endpoint"
DISABLED = "endpoint_disabled"


@dataclass(frozen=True, slots=True)
class Addressing:
    """The endpoints of one tenant, and the notifications that name theirs by id."""

    states: Mapping[str, str]
    by_url: Mapping[str, str]
    named: Mapping[UUID, str]

    def find(self, row: Mapping[str, Any]) -> tuple[str | None, str]:
        """Return the public id of an endpoint, or None and the reason why there is none.

        `row` has `notification_id`, `metadata`, `addresses` and `frozen_address`, as `routing.route` takes it.
        """
        address = row["frozen_address"] or self.named.get(row["notification_id"])
        if address is None:
            url = row["metadata"].get("webhook_url") or (row["addresses"] or {}).get("webhook")
            if not isinstance(url, str):
                return None, "no_address"
            address = self.by_url.get(spelled(url))
        state = self.states.get(address or "")
        if state is None:
            return None, NO_ENDPOINT
        return (address, "") if state == EndpointState.ENABLED else (None, DISABLED)


async def addressing(connection: Connection, notification_ids: Sequence[UUID]) -> Addressing:
    """Read what the addresses of some notifications depend on, in the tenant's transaction."""
    found = await (await connection.execute(STANDING)).fetchall()
    ids = {row["url"]: public_id(ENDPOINT, row["id"]) for row in found}
    named = await connection.execute(NAMED, {"ids": list(notification_ids)})
    return Addressing(
        states={ids[row["url"]]: row["state"] for row in found},
        by_url=ids,
        named={row["notification_id"]: public_id(ENDPOINT, row["endpoint_id"]) async for row in named},
    )


async def require_endpoint(database: Database, tenant_id: UUID, url: str) -> None:
    """Refuse a URL that is no enabled endpoint of the tenant.

    Raises:
        Invalid: at /metadata/webhook_url.
    """
    if refused := await refused_urls(database, tenant_id, [url]):
        raise Invalid.at(POINTER, *refused[url])


async def refused_urls(database: Database, tenant_id: UUID, urls: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return which of these URLs are no enabled endpoints of the tenant, each with a code and a sentence."""
    spellings = {url: spelled(url) for url in urls}
    async with database.tenant_transaction(tenant_id) as connection:
        found = await connection.execute(AT, {"urls": sorted(set(spellings.values()))})
        states = {row["url"]: row["state"] async for row in found}
    standing = {url: states.get(spelling) for url, spelling in spellings.items()}
    return {
        url: (DISABLED, "This webhook endpoint is disabled.")
        if state
        else (NO_ENDPOINT, "This is not the URL of one of your webhook endpoints.")
        for url, state in standing.items()
        if state != EndpointState.ENABLED
    }


def spelled(url: str) -> str:
    """Spell a URL as endpoints are stored; what is none matches none."""
    try:
        return str(parse_target(url, public_only=False))
    except Invalid:
        return ""
