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

    A key that an older Postroom stored may do from now on what there is to do today.

    Raises:
        ValueError: the text is no key.
    """
    key = spelled_key(pepper, key_text)
    directory = Directory(database, pepper)
    with suppress(Conflict):
        await directory.add_tenant(SLUG, "Demo")
    tenant_id = await directory.tenant_id(SLUG)
    try:
        await directory.store_key(tenant_id, key, (KEY_NAME, tuple(Scope), None))
    except Conflict:
        await directory.rescope_key(tenant_id, key, tuple(Scope))
