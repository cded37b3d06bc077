"""Two who write about a person at once see each other's words, even when nobody knew the person before."""

import asyncio
from datetime import UTC, datetime

from postroom.contacts.consent import Given
from postroom.contacts.person import Person
from postroom.contacts.service import Contacts
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.subscriptions.preference import PERSON, NewPreference
from postroom.subscriptions.service import Subscriptions, Whose
from tests.fixtures.database import Tenants

NO = Given(given=False, at=datetime(2026, 11, 20, tzinfo=UTC))
SOON = 0.2


async def test_a_synchronisation_meets_a_withdrawal(database: Database, tenants: Tenants) -> None:
    contacts, subscriptions = Contacts(database), Subscriptions(database)
    async with subscriptions.writing(Whose(tenants.alice.id, "ada")) as desk:
        await desk.consent(ChannelKind.EMAIL, NO)
        writing = asyncio.create_task(contacts.put(tenants.alice.id, Person("ada", language="fr"), PERSON))
        await asyncio.sleep(SOON)
        assert not writing.done()
    written, is_new = await writing
    assert (written.language, is_new) == ("fr", False)
    assert written.consent["marketing"]["email"]["given"] is False


async def test_the_later_of_two_wholes_is_whole(database: Database, tenants: Tenants) -> None:
    subscriptions, whose = Subscriptions(database), Whose(tenants.alice.id, "ada")
    async with subscriptions.writing(whose) as desk:
        await desk.write([NewPreference("first")])
        writing = asyncio.create_task(subscriptions.replace(whose, [NewPreference("second")], None))
        await asyncio.sleep(SOON)
        assert not writing.done()
    assert [one.notification_type for one in (await writing).preferences] == ["second"]
    changes = [(one["notification_type"], one["after"] is None) for one in await subscriptions.events(whose, 10)]
    assert sorted(changes) == [("first", False), ("first", True), ("second", False)]
