"""What both processes stand on: the database, the timing and the secrets of one deployment."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from postroom.database.engine import Database, Role, open_database
from postroom.feedback.return_paths import ReturnPaths
from postroom.person_pages.links import LinkMaker
from postroom.settings import Settings
from postroom.tenants.secrets import Seal
from postroom.timing import Timing
from postroom.tracking.tokens import TokenMaker


@dataclass(frozen=True, slots=True)
class Resources:
    """Opened once per process by its composition root."""

    settings: Settings
    timing: Timing
    database: Database
    seal: Seal
    links: LinkMaker
    tokens: TokenMaker
    returns: ReturnPaths
    pepper: bytes


@asynccontextmanager
async def open_resources(settings: Settings, connections: Mapping[Role, int]) -> AsyncIterator[Resources]:
    """Open the pools with at most `connections` per role and hold them until the process ends."""
    async with open_database(settings.database_url, dict(connections)) as database:
        yield Resources(
            settings=settings,
            timing=settings.timing(),
            database=database,
            seal=Seal.parse(settings.sealing_keys.get_secret_value()),
            links=LinkMaker.parse(settings.sealing_keys.get_secret_value(), settings.public_url),
            tokens=TokenMaker.parse(settings.sealing_keys.get_secret_value(), settings.public_url),
            returns=ReturnPaths.parse(settings.sealing_keys.get_secret_value(), settings.bounce_domain),
            pepper=settings.pepper.get_secret_value().encode(),
        )
