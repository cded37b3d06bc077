"""The tenant a newcomer meets: made once, found again at every start."""

from contextlib import suppress

from postroom.database.engine import Database
from postroom.errors import Conflict
from postroom.tenants.directory import Directory
from postroom.tenants.keys import Scope, spelled_key

SLUG = "demo"
KEY_NAME = "made by the local stack"


async def ensure_demo(database: Database, pepper: bytes, key_text: str) -> None:
    """Make the tenant `demo` and store this key for it, whichever of them is missing.

    Raises:
        ValueError: the text is no key.
    """
    key = spelled_key(pepper, key_text)
    directory = Directory(database, pepper)
    with suppress(Conflict):
        await directory.add_tenant(SLUG, "Demo")
    with suppress(Conflict):
        await directory.store_key(await directory.tenant_id(SLUG), key, (KEY_NAME, tuple(Scope), None))
