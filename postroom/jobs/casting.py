"""Which template speaks in a batch, and to whom it cannot: whoever lacks a variable fails alone."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from postroom.database.engine import Database
from postroom.jobs.batch import Batch, Recipient
from postroom.notifications.placeholders import Gap
from postroom.templates.pinning import refuse
from postroom.templates.resolving import Resolved, resolve
from postroom.templates.variables import Misfit, misfits

JUDGED_AT_ONCE = 10  # people; between two such groups others have their turn
FIELD = "variables"


async def resolved(database: Database, batch: Batch) -> Batch:
    """Find the versions a batch speaks with; one with words of its own stays as it is.

    Raises:
        Invalid: nothing that is approved fits.
    """
    use = batch.request.template
    if use is None:
        return batch
    return replace(batch, resolved=await resolve(database, batch.tenant_id, use, batch.request.channels))


async def find_misfits(batch: Batch) -> dict[str, Gap]:
    """Return who cannot be told anything, by user_id, and why.

    Raises:
        Invalid: what is given to everybody does not fit, or is missing and nobody has variables of their own.
    """
    use, found = batch.request.template, batch.resolved
    if use is None or found is None:
        return {}
    personal = any(recipient.variables for recipient in batch.recipients)
    for choice in found.choices:
        wrong = misfits(choice.declared, found.shared, use.variables)
        refuse(one for one in wrong if not personal or one.variable in use.variables)
    gaps: dict[str, Gap] = {}
    for position, recipient in enumerate(batch.recipients if personal else ()):
        for one in _misfits(batch, found, recipient):
            gaps.setdefault(recipient.user_id, Gap(one.reason, one.variable, FIELD))
        if position % JUDGED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return gaps


def _misfits(batch: Batch, found: Resolved, recipient: Recipient) -> Iterator[Misfit]:
    given = {**(batch.request.template.variables if batch.request.template else {}), **(recipient.variables or {})}
    return misfits(found.pick(recipient.user_id).declared, found.shared, given)
