"""Puts a person's page together."""

from collections.abc import Sequence

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.database.engine import Connection
from postroom.person_pages import repository
from postroom.person_pages.links import Bearer
from postroom.person_pages.sheet import ALL_MARKETING, SHOWN, Row, Sheet
from postroom.person_pages.who import offer_of, sender_of
from postroom.policy.preferences import Frequency, consent_of
from postroom.subscriptions.effective import effective
from postroom.subscriptions.kinds import Kind
from postroom.subscriptions.service import Said, Whose, said_by


async def sheet_of(connection: Connection, bearer: Bearer, whose: Whose | None) -> Sheet:
    """Return what there is to choose, for a person or for an address alone."""
    sender = await sender_of(connection, bearer)
    if whose is None:
        return await _address_sheet(connection, bearer, sender.name)
    said = await said_by(connection, whose)
    return Sheet(
        sender.name,
        sender.language,
        bearer.channel,
        named=True,
        marketing=consent_of(said.consent, MessageClass.MARKETING, bearer.channel) is not False,
        rows=rows_of(said),
        paused_until=said.paused_until,
    )


async def _address_sheet(connection: Connection, bearer: Bearer, sender: str) -> Sheet:
    scopes = await repository.scopes_of(connection, bearer)
    kind = await offer_of(connection, bearer)
    rows = [_row(kind, {bearer.channel: f"type:{kind.name}" not in scopes}, Frequency.IMMEDIATE)] if kind else []
    return Sheet(sender, None, bearer.channel, named=False, marketing=ALL_MARKETING not in scopes, rows=rows)


def rows_of(said: Said) -> Sequence[Row]:
    """Return each type as it applies; marketing as if there were consent, which is asked for by itself."""
    wishes = {preference.place: preference.wish for preference in said.preferences}
    rows = []
    for kind in said.kinds:
        applied = {channel: effective(kind, channel, wishes, {}) for channel in SHOWN}
        on = {channel: one.enabled for channel, one in applied.items()}
        rows.append(_row(kind, on, applied[ChannelKind.EMAIL].frequency))
    return rows


def _row(kind: Kind, on: dict[ChannelKind, bool], frequency: Frequency) -> Row:
    return Row(
        name=kind.name,
        title=kind.title,
        description=kind.description,
        group=kind.group,
        on=on,
        frequency=frequency,
        message_class=kind.message_class,
    )
