"""Gives the mails of a page what tells of their opens and clicks, between their words and their hand-off."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from postroom.channels.base import Bulk, Parcel
from postroom.channels.email.plaintext import plain_text
from postroom.rendering.speech import Words
from postroom.tracking.links import LinkBook
from postroom.tracking.rewriting import Place, Reader, rewrite, target_of, with_pixel
from postroom.tracking.tokens import Mail, Target, TokenMaker, spelled
from postroom.turns import in_turns

Told = tuple[Parcel, Words]  # a mail on its way, and what it says


class Dresser:
    """Rewrites the HTML of a page; what is read as plain text keeps its links as they are."""

    def __init__(self, links: LinkBook, tokens: TokenMaker) -> None:
        self._links = links
        self._tokens = tokens

    async def dress(self, tenant_id: UUID, mails: Sequence[Told]) -> list[Words]:
        """Return what each mail says, in their order: with the links led over the house where it is tracked.

        A mail whose bytes are frozen is left as it is. Never fails for want of the database.
        """
        reader = Reader()
        found = [
            reader.places(words.html) if words.html and _follows_clicks(parcel) else []
            async for parcel, words in in_turns(mails)
        ]
        by_task: dict[UUID, dict[UUID, list[str]]] = {}
        for (parcel, _), places in zip(mails, found, strict=True):
            if places and parcel.bulk:
                by_task.setdefault(parcel.bulk.task_id, {})[parcel.delivery_id] = [said for *_, said in places]
        targets = {task_id: await self._targets(tenant_id, task_id, said) for task_id, said in by_task.items()}
        return [self._dressed(told, places, targets) async for told, places in in_turns(zip(mails, found, strict=True))]

    async def _targets(
        self, tenant_id: UUID, task_id: UUID, mails: Mapping[UUID, Sequence[str]]
    ) -> Mapping[str, bytes]:
        """Find what the links of these mails of one task are to lead to, each once."""
        all_said = {said for mail in mails.values() for said in mail}
        urls = {said: url for said in all_said if (url := self._followed(said))}
        by_mail = {delivery_id: [urls[said] for said in mail if said in urls] for delivery_id, mail in mails.items()}
        positions = await self._links.positions(tenant_id, task_id, by_mail)
        return {said: spelled(Target(url, positions.get(url, 0))) for said, url in urls.items()}

    def _dressed(self, told: Told, found: Sequence[Place], targets: Mapping[UUID, Mapping[str, bytes]]) -> Words:
        parcel, words = told
        bulk, html = parcel.bulk, words.html
        if not _is_tracked(parcel) or bulk is None or not html:
            return words
        mail = Mail(parcel.tenant_id, parcel.delivery_id)
        known, link = targets.get(bulk.task_id, {}), self._tokens.links(mail)
        dressed = rewrite(html, found, lambda said: link(known[said]) if said in known else None)
        if bulk.track_opens:
            dressed = with_pixel(dressed, self._tokens.pixel(mail))
        return Words(words.title, words.text or plain_text(html), dressed)

    def _followed(self, said: str) -> str | None:
        """Return where a link leads when its clicks are to be counted: not those that speak for the recipient."""
        if said.startswith(self._tokens.own):  # each is another one, and reading it as browsers do takes its time
            return None
        url = target_of(said)
        return None if url is None or url.startswith(self._tokens.own) else url


def _is_tracked(parcel: Parcel) -> bool:
    bulk: Bulk | None = parcel.bulk
    return bool(bulk and (bulk.track_opens or bulk.track_clicks) and parcel.message is None)


def _follows_clicks(parcel: Parcel) -> bool:
    return _is_tracked(parcel) and parcel.bulk is not None and parcel.bulk.track_clicks
