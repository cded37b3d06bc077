"""Preferences, as the API and a person's own page read and write them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from postroom.contacts import service as contacts
from postroom.contacts.consent import Given, marketing
from postroom.contacts.repository import contact_of, met_contact
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database
from postroom.errors import Invalid
from postroom.policy.preferences import Frequency
from postroom.policy.reconsidering import reconsidered
from postroom.subscriptions import repository
from postroom.subscriptions.effective import Effective, effective
from postroom.subscriptions.events import Notebook, events_of
from postroom.subscriptions.kind_repository import kinds_of
from postroom.subscriptions.kinds import Kind
from postroom.subscriptions.preference import PERSON, Author, NewPreference, Place, Preference
from postroom.subscriptions.repository import Pause

MOST = 500  # preferences of one person


@dataclass(frozen=True, slots=True)
class Whose:
    """A person of a tenant, and who writes in their name."""

    tenant_id: UUID
    user_id: str
    author: Author = PERSON


@dataclass(frozen=True, slots=True)
class Said:
    """Everything a person said, and the types there are."""

    preferences: Sequence[Preference]
    paused_until: Pause
    consent: Mapping[str, Mapping[str, Any]]
    kinds: Sequence[Kind]

    def applied(self, channels: Sequence[ChannelKind]) -> list[tuple[Kind, ChannelKind, Effective]]:
        """Return what applies to each type over each channel, and why."""
        placed = {preference.place: preference.wish for preference in self.preferences}
        return [
            (kind, channel, effective(kind, channel, placed, self.consent))
            for kind in self.kinds
            for channel in channels
        ]


class Subscriptions:
    """What people want, each seen by one tenant only; every call is one transaction.

    What is written counts for what is on its way already.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def said(self, whose: Whose) -> Said:
        """Return what a person said; nothing is known of most, and that is no error."""
        async with self._database.tenant_transaction(whose.tenant_id) as connection:
            return await said_by(connection, whose)

    async def events(self, whose: Whose, count: int) -> Sequence[Mapping[str, Any]]:
        """Return the latest changes, newest first."""
        async with self._database.tenant_transaction(whose.tenant_id) as connection:
            return await events_of(connection, whose.tenant_id, (whose.user_id, count))

    async def replace(self, whose: Whose, wishes: Sequence[NewPreference], paused_until: Pause) -> Said:
        """Write everything a person said; what is left out is forgotten."""
        async with self.writing(whose) as desk:
            for place in desk.before.keys() - {wish.place for wish in wishes}:
                await desk.forget(place)
            await desk.write(wishes)
            await desk.pause(paused_until)
            return await said_by(desk.connection, whose)

    async def write(self, whose: Whose, wishes: Sequence[NewPreference]) -> Said:
        """Write some of what a person said; what is left out stays."""
        async with self.writing(whose) as desk:
            await desk.write(wishes)
            return await said_by(desk.connection, whose)

    async def forget(self, whose: Whose, places: Sequence[Place]) -> None:
        """Forget some of what a person said."""
        async with self.writing(whose) as desk:
            for place in places:
                await desk.forget(place)

    @asynccontextmanager
    async def writing(self, whose: Whose) -> AsyncIterator["Desk"]:
        """Write in one transaction, one after the other for a person; what is on its way is decided again."""
        async with reconsidered(self._database, whose.tenant_id, whose.user_id) as connection:
            await repository.alone(connection, whose.tenant_id, whose.user_id)
            known = await repository.preferences_of(connection, whose.tenant_id, whose.user_id)
            before = {preference.place: preference for preference in known}
            yield Desk(connection, whose, before)


class Desk:
    """Writes about one person within a transaction, and notes what became different."""

    def __init__(self, connection: Connection, whose: Whose, before: Mapping[Place, Preference]) -> None:
        self.connection = connection
        self.before = dict(before)
        self._whose = whose
        self.note = Notebook(connection, whose.tenant_id, whose.user_id, whose.author)

    async def write(self, wishes: Sequence[NewPreference]) -> None:
        """Write over what was said before.

        Raises:
            Invalid: there would be too many.
        """
        if len(self.before.keys() | {wish.place for wish in wishes}) > MOST:
            raise Invalid(f"A person has at most {MOST} preferences.", code="too_many_preferences")
        kinds = {kind.name: kind for kind in await kinds_of(self.connection, self._whose.tenant_id)}
        for wish in wishes:
            await self._write(wish, kinds.get(wish.notification_type))

    async def _write(self, wish: NewPreference, kind: Kind | None) -> None:
        usual = kind.defaults.frequency if kind else Frequency.IMMEDIATE
        new = Preference(*wish.place, wish.enabled, wish.frequency or usual)
        old = self.before.get(wish.place)
        if old is not None and (old.enabled, old.frequency) == (new.enabled, new.frequency):
            return
        await repository.write_preference(self.connection, self._whose.tenant_id, self._whose.user_id, new)
        await self.note.preference(wish.place, _spelled(old), _spelled(new))
        self.before[wish.place] = new

    async def forget(self, place: Place) -> None:
        """Forget what was said."""
        if old := self.before.pop(place, None):
            await repository.remove_preference(self.connection, self._whose.tenant_id, self._whose.user_id, place)
            await self.note.preference(place, _spelled(old), None)

    async def consent(self, channel: ChannelKind, given: Given) -> None:
        """Give consent to marketing over a channel, or withdraw it; whoever has no contact yet gets one."""
        whose = self._whose
        known, _ = await met_contact(self.connection, whose.tenant_id, whose.user_id)
        said = replace(known.person(), consent=marketing(given, channel))
        await contacts.write(self.connection, (whose.tenant_id, whose.author), known, said)

    async def pause(self, until: Pause) -> None:
        """Let everything wait until then, or nothing."""
        whose = self._whose
        old = await repository.pause_of(self.connection, whose.tenant_id, whose.user_id)
        if old != until:
            await repository.write_pause(self.connection, whose.tenant_id, whose.user_id, until)
            await self.note.pause(_moment(old), _moment(until))


async def said_by(connection: Connection, whose: Whose) -> Said:
    """Read what a person said, within a transaction."""
    contact = await contact_of(connection, whose.tenant_id, whose.user_id)
    return Said(
        await repository.preferences_of(connection, whose.tenant_id, whose.user_id),
        await repository.pause_of(connection, whose.tenant_id, whose.user_id),
        contact.consent if contact else {},
        await kinds_of(connection, whose.tenant_id),
    )


def _spelled(preference: Preference | None) -> dict[str, object] | None:
    return {"enabled": preference.enabled, "frequency": preference.frequency} if preference else None


def _moment(until: Pause) -> str | None:
    return until if until is None or isinstance(until, str) else until.isoformat()
