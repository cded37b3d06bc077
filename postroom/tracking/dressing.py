"""Gives the mails of a page what tells of their opens and clicks, between their words and their hand-off."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from postroom.channels.base import Bulk, Parcel
from postroom.channels.email.plaintext import plain_text
from postroom.tracking.links import LinkBook
from postroom.tracking.rewriting import Place, Reader, rewrite, target_of, with_pixel
from postroom.tracking.tokens import Mail, Target, TokenMaker, spelled
from postroom.turns import in_turns


class Dresser:
    """Rewrites the HTML of a page; what is read as plain text keeps its links as they are."""

    def __init__(self, links: LinkBook, tokens: TokenMaker) -> None:
        self._links = links
        self._tokens = tokens

    async def dress(self, tenant_id: UUID, parcels: Sequence[Parcel]) -> Sequence[Parcel]:
        """Return the parcels in their order, those that are tracked with their links led over the house.

        A mail whose bytes are frozen is left as it is. Never fails for want of the database.
        """
        reader = Reader()
        found = {
            one.delivery_id: reader.places(one.body_html or "")
            async for one in in_turns(parcels)
            if _follows_clicks(one)
        }
        targets: dict[UUID, Mapping[str, bytes]] = {}
        for task_id in dict.fromkeys(one.bulk.task_id for one in parcels if one.bulk and one.delivery_id in found):
            mails = {
                one.delivery_id: [said for *_, said in found[one.delivery_id]]
                for one in parcels
                if one.bulk and one.bulk.task_id == task_id and one.delivery_id in found
            }
            targets[task_id] = await self._targets(tenant_id, task_id, mails)
        return [self._dressed(one, found.get(one.delivery_id, []), targets) async for one in in_turns(parcels)]

    async def _targets(
        self, tenant_id: UUID, task_id: UUID, mails: Mapping[UUID, Sequence[str]]
    ) -> Mapping[str, bytes]:
        """Find what the links of these mails of one task are to lead to, each once."""
        all_said = {said for mail in mails.values() for said in mail}
        urls = {said: url for said in all_said if (url := self._followed(said))}
        by_mail = {delivery_id: [urls[said] for said in mail if said in urls] for delivery_id, mail in mails.items()}
        positions = await self._links.positions(tenant_id, task_id, by_mail)
        return {said: spelled(Target(url, positions.get(url, 0))) for said, url in urls.items()}

    def _dressed(self, parcel: Parcel, found: Sequence[Place], targets: Mapping[UUID, Mapping[str, bytes]]) -> Parcel:
        bulk, html = parcel.bulk, parcel.body_html
        if not _is_tracked(parcel) or bulk is None or html is None:
            return parcel
        mail = Mail(parcel.tenant_id, parcel.delivery_id)
        known, link = targets.get(bulk.task_id, {}), self._tokens.links(mail)
        dressed = rewrite(html, found, lambda said: link(known[said]) if said in known else None)
        if bulk.track_opens:
            dressed = with_pixel(dressed, self._tokens.pixel(mail))
        return replace(parcel, body_html=dressed, body_text=parcel.body_text or plain_text(html))

    def _followed(self, said: str) -> str | None:
        """Return where a link leads when its clicks are to be counted: not those that speak for the recipient."""
        url = target_of(said)
        return None if url is None or url.startswith(self._tokens.own) else url


def _is_tracked(parcel: Parcel) -> bool:
    bulk: Bulk | None = parcel.bulk
    return bool(bulk and (bulk.track_opens or bulk.track_clicks) and parcel.body_html and parcel.message is None)


def _follows_clicks(parcel: Parcel) -> bool:
    return _is_tracked(parcel) and parcel.bulk is not None and parcel.bulk.track_clicks
