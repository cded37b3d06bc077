"""Says where the bounces of a mail return to: an address of its own, below a domain that SPF is aligned with."""

from postroom.channels.base import Parcel
from postroom.channels.email.addresses import parse_sender
from postroom.feedback.return_paths import ReturnPaths
from postroom.mail_domains.book import DomainBook


class Returning:
    """Makes envelope senders: below the bounce domain of the From domain, or else of the deployment."""

    def __init__(self, returns: ReturnPaths, book: DomainBook) -> None:
        self._returns = returns
        self._book = book

    async def path(self, parcel: Parcel) -> str | None:
        """Return a parcel's envelope sender; None when neither has a bounce domain. Raises only what the book does."""
        domain = parse_sender(parcel.sender).address.rpartition("@")[2]
        bounces = await self._book.bounces_of(parcel.tenant_id, domain) or self._returns.domain
        return self._returns.address(parcel.delivery_id, bounces) if bounces else None
