"""Campaigns as the API reads and writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.campaigns import repository
from postroom.campaigns.models import Campaign, CampaignState
from postroom.campaigns.repository import Window
from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, NotFound
from postroom.identity import new_id
from postroom.notifications.replay import named_before
from postroom.notifications.request import IdempotencyKey
from postroom.tenants.gate import Identity


@dataclass(frozen=True, slots=True)
class Title:
    """What a campaign is called, and what it is for."""

    name: str
    description: str | None = None


class Campaigns:
    """Campaigns of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, who: Identity, title: Title, key: IdempotencyKey | None) -> tuple[Campaign, bool]:
        """Make a campaign, or return the one an earlier request under the key made, and whether it did."""
        made = new_id()
        async with self._database.tenant_transaction(who.tenant_id) as connection:
            if earlier := await named_before(connection, who.tenant_id, key, {"notification_id": made}):
                return await found_campaign(connection, earlier.id), True
            await write_campaign(connection, who, made, title)
            return await found_campaign(connection, made), False

    async def get(self, tenant_id: UUID, campaign_id: UUID) -> Campaign:
        """Return a campaign, or raise NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await found_campaign(connection, campaign_id)

    async def page(self, tenant_id: UUID, state: CampaignState, window: Window) -> Sequence[Campaign]:
        """Return campaigns in a state, newest first."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await repository.listed(connection, tenant_id, state, window)

    async def replace(self, tenant_id: UUID, campaign_id: UUID, title: Title) -> Campaign:
        """Give a campaign another name and description.

        Raises:
            NotFound: the tenant has no such campaign.
            Conflict: it is archived.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            _check_open(await repository.claim(connection, campaign_id))
            values = {"id": campaign_id, "name": title.name, "description": title.description}
            await repository.replace(connection, values)
            return await found_campaign(connection, campaign_id)

    async def archive(self, tenant_id: UUID, campaign_id: UUID) -> None:
        """Put a campaign away; its tasks and what became of them can still be read. Twice is once.

        Raises:
            NotFound: the tenant has no such campaign.
            Conflict: one of its tasks is under way (`campaign_running`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            if await repository.claim(connection, campaign_id) is None:
                raise _unknown()
            if await repository.runs(connection, campaign_id):
                detail = "A task of this campaign is under way; cancel it, or wait for its end."
                raise Conflict(detail, code="campaign_running")
            await repository.archive(connection, campaign_id)


async def found_campaign(connection: Connection, campaign_id: UUID) -> Campaign:
    """Return a campaign, or raise NotFound, inside the tenant's transaction."""
    campaign = await repository.find(connection, campaign_id)
    if campaign is None:
        raise _unknown()
    return campaign


async def write_campaign(connection: Connection, who: Identity, campaign_id: UUID, title: Title) -> None:
    """Insert a campaign, inside the tenant's transaction."""
    values = {"id": campaign_id, "tenant_id": who.tenant_id, "key_id": who.key_id}
    await repository.add(connection, values | {"name": title.name, "description": title.description})


async def hold_open(connection: Connection, campaign_id: UUID) -> None:
    """Keep a campaign from being archived until the transaction ends.

    Raises:
        NotFound: the tenant has no such campaign.
        Conflict: it is archived.
    """
    _check_open(await repository.hold(connection, campaign_id))


async def hold_open_for(connection: Connection, task_id: UUID) -> None:
    """Do the same for the campaign of a task; a task that is not there is somebody else's to find out."""
    if await repository.hold_of_task(connection, task_id) is CampaignState.ARCHIVED:
        _check_open(CampaignState.ARCHIVED)


def _check_open(state: CampaignState | None) -> None:
    if state is None:
        raise _unknown()
    if state is CampaignState.ARCHIVED:
        raise Conflict("This campaign is archived.", code="campaign_archived")


def _unknown() -> NotFound:
    return NotFound("There is no such campaign.")
