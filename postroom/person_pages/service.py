"""What the links do: show, save, unsubscribe and take that back. Nothing is done for being looked at."""

from postroom.database.engine import Connection, Database
from postroom.person_pages import repository
from postroom.person_pages.links import Bearer
from postroom.person_pages.saving import save_address, save_person, set_scope, word
from postroom.person_pages.sheet import ALL_MARKETING, Answers, Sheet, Unsubscribed
from postroom.person_pages.showing import sheet_of
from postroom.person_pages.who import offer_of, person_of, sender_of
from postroom.subscriptions.kinds import Kind
from postroom.subscriptions.preference import NewPreference
from postroom.subscriptions.service import Desk, Subscriptions, Whose


class PersonPages:
    """Answers the links of one deployment. A call is one transaction, or two where the first finds out whose it is.

    Raises NotFound when the tenant is gone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscriptions = Subscriptions(database)

    async def show(self, bearer: Bearer) -> Sheet:
        """Return what a person may choose from."""
        async with self._database.tenant_transaction(bearer.tenant_id) as connection:
            return await sheet_of(connection, bearer, await person_of(connection, bearer))

    async def save(self, bearer: Bearer, answers: Answers) -> Sheet:
        """Write what differs from what applies, and return what applies now."""
        async with self._database.tenant_transaction(bearer.tenant_id) as connection:
            whose = await person_of(connection, bearer)
            if whose is None:
                before = await sheet_of(connection, bearer, None)
                await save_address(connection, bearer, before, answers)
                return await _saved(connection, bearer, before, None)
        async with self._subscriptions.writing(whose) as desk:
            before = await sheet_of(desk.connection, bearer, whose)
            await save_person(desk, bearer, before, answers)
            return await _saved(desk.connection, bearer, before, whose)

    async def subject(self, bearer: Bearer) -> Unsubscribed:
        """Return what one click would be about."""
        async with self._database.tenant_transaction(bearer.tenant_id) as connection:
            sender, kind = await sender_of(connection, bearer), await offer_of(connection, bearer)
            return Unsubscribed(sender.name, sender.language, bearer.channel, kind.title if kind else None)

    async def unsubscribe(self, bearer: Bearer, *, wanted: bool = False) -> Unsubscribed:
        """Send nothing more of this kind over this channel; `wanted` takes that back. Twice is once."""
        async with self._database.tenant_transaction(bearer.tenant_id) as connection:
            sender, kind = await sender_of(connection, bearer), await offer_of(connection, bearer)
            whose = await person_of(connection, bearer)
            if whose is None:
                await set_scope(connection, bearer, f"type:{kind.name}" if kind else ALL_MARKETING, on=wanted)
                await _note(connection, bearer, ended=not wanted)
        if whose is not None:
            async with self._subscriptions.writing(whose) as desk:
                await _say(desk, bearer, kind, wanted=wanted)
                await _note(desk.connection, bearer, ended=not wanted)
        return Unsubscribed(sender.name, sender.language, bearer.channel, kind.title if kind else None)


async def _say(desk: Desk, bearer: Bearer, kind: Kind | None, *, wanted: bool) -> None:
    if kind is None:
        await desk.consent(bearer.channel, word(given=wanted))
        return
    before = desk.before.get((kind.name, str(bearer.channel)))
    frequency = before.frequency if before else None
    await desk.write([NewPreference(kind.name, str(bearer.channel), wanted, frequency)])


async def _saved(connection: Connection, bearer: Bearer, before: Sheet, whose: Whose | None) -> Sheet:
    sheet = await sheet_of(connection, bearer, whose)
    await _note(connection, bearer, ended=bool(before.offers() - sheet.offers()))
    return sheet


async def _note(connection: Connection, bearer: Bearer, *, ended: bool) -> None:
    if ended:
        await repository.note_unsubscribed(connection, bearer)
