"""Whether the webhook URLs in a batch lead to endpoints of its tenant: asked once for all of them."""

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.errors import FieldError, Invalid
from postroom.jobs.batch import Batch, refusal
from postroom.notifications.request import ADDRESS_FIELDS
from postroom.webhooks.addressing import POINTER, refused_urls

NAME = ADDRESS_FIELDS[ChannelKind.WEBHOOK]


async def check_endpoints(database: Database, batch: Batch) -> None:
    """Refuse URLs that are no enabled endpoints of the tenant.

    Raises:
        Invalid: with a pointer to the shared one, or to each recipient's.
    """
    if ChannelKind.WEBHOOK not in batch.request.channels:
        return
    named = [(f"{batch.place}/{position}{POINTER}", one) for position, one in enumerate(batch.recipients)]
    own = {place: str(one.metadata[NAME]) for place, one in named if NAME in one.metadata}
    shared = batch.request.webhook_url
    urls = {*own.values(), *([] if shared is None else [shared])}
    refused = await refused_urls(database, batch.tenant_id, list(urls)) if urls else {}
    if shared in refused:
        raise Invalid.at(POINTER, *refused[shared])
    if errors := [FieldError(place, *refused[url]) for place, url in own.items() if url in refused]:
        raise refusal(errors)
