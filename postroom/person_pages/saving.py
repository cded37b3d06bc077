"""Writes what a person chose on their page: only what differs from what applies already."""

from datetime import UTC, datetime

from postroom.contacts.consent import Given
from postroom.contracts.vocabulary import MessageClass
from postroom.database.engine import Connection
from postroom.person_pages import repository
from postroom.person_pages.links import Bearer
from postroom.person_pages.sheet import ALL_MARKETING, Answers, PauseChoice, Sheet
from postroom.subscriptions.preference import NewPreference
from postroom.subscriptions.service import Desk

SOURCE = "link in a mail"


async def save_person(desk: Desk, bearer: Bearer, before: Sheet, answers: Answers) -> None:
    """Write the choices of a person; `before` is what their page would show now."""
    if answers.marketing is not None and answers.marketing != before.marketing:
        await desk.consent(bearer.channel, word(given=answers.marketing))
    await desk.write(list(_wishes(before, answers)))
    if answers.pause is not PauseChoice.KEEP:
        await desk.pause(answers.paused_until(datetime.now(UTC)))


async def save_address(connection: Connection, bearer: Bearer, before: Sheet, answers: Answers) -> None:
    """Write the choices for an address alone."""
    if answers.marketing is not None:
        await set_scope(connection, bearer, ALL_MARKETING, on=answers.marketing)
    for row in before.rows:
        if (on := answers.on.get((row.name, bearer.channel))) is not None:
            await set_scope(connection, bearer, f"type:{row.name}", on=on)


async def set_scope(connection: Connection, bearer: Bearer, scope: str, *, on: bool) -> None:
    """Send something to an address, or nothing of it any more."""
    await (repository.allow if on else repository.suppress)(connection, bearer, scope)


def word(*, given: bool) -> Given:
    """What a person says about marketing, now and by a link."""
    return Given(given, datetime.now(UTC), SOURCE)


def _wishes(before: Sheet, answers: Answers) -> list[NewPreference]:
    wishes = []
    for row in before.rows:
        if row.message_class is MessageClass.SECURITY:
            continue
        frequency = answers.frequencies.get(row.name, row.frequency)
        for channel, was_on in row.on.items():
            on = answers.on.get((row.name, channel), was_on)
            if (on, frequency) != (was_on, row.frequency):
                wishes.append(NewPreference(row.name, str(channel), on, frequency))
    return wishes
