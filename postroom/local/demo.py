"""Makes the demo tenant and its key at every start of the local stack; the key comes by the environment."""

import asyncio
import os

from postroom.database.engine import Role, open_database
from postroom.settings import Settings
from postroom.tenants.demo import ensure_demo

DEMO_KEY = "POSTROOM_DEMO_KEY"


async def main() -> None:
    """Store the key the supervisor keeps."""
    settings = Settings()
    async with open_database(settings.database_url, {Role.APP: 1, Role.SYSTEM: 1}) as database:
        await ensure_demo(database, settings.pepper.get_secret_value().encode(), os.environ[DEMO_KEY])


if __name__ == "__main__":
    asyncio.run(main())
