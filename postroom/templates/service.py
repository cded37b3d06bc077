"""Templates as the API reads and writes them: every change of words is a new version, and every step is noted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import new_id
from postroom.notifications.replay import named_before
from postroom.notifications.request import IdempotencyKey
from postroom.templates import repository
from postroom.templates.globals import globals_of
from postroom.templates.inspection import Inspection, Inspector
from postroom.templates.records import Event, Ref, State, Template, Version
from postroom.templates.repository import Window
from postroom.templates.results import Result, count_results
from postroom.templates.rules import review_required
from postroom.templates.writing import Warned, Written
from postroom.tenants.gate import Identity

LIVING = frozenset({State.DRAFT, State.IN_REVIEW, State.APPROVED})


@dataclass(frozen=True, slots=True)
class Saved:
    """A template and its newest version after it was saved; `is_new` when there is a version that was not before."""

    template: Template
    version: Version
    is_new: bool
    warnings: Sequence[Warned] = ()
    replayed: bool = False


class Templates:
    """Templates of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database, inspector: Inspector) -> None:
        self._database = database
        self._inspector = inspector

    async def add(self, who: Identity, written: Written, key: IdempotencyKey | None) -> Saved:
        """Make a template with its first version.

        Raises:
            Invalid: the content is not what a template may be.
            Conflict: the tenant has a template of this name.
        """
        inspection = await self._inspected(who.tenant_id, written)
        template_id = new_id()
        template = {"id": template_id, "name": written.name, "channel": written.content.channel}
        async with self._database.tenant_transaction(who.tenant_id) as connection:
            if earlier := await named_before(connection, who.tenant_id, key, {"notification_id": template_id}):
                return await _as_it_is(connection, await found(connection, who.tenant_id, Ref(earlier.id, None)))
            if not await repository.add(connection, who.tenant_id, template):
                raise _taken()
            place = _place(who, template_id, 1)
            await repository.note(connection, place, "created", {"name": written.name})
            return await self._save(connection, place, written, inspection)

    async def replace(self, who: Identity, ref: Ref, written: Written) -> Saved:
        """Say it otherwise: a new version, unless the newest one says the same and still counts.

        Raises:
            NotFound: the tenant has no such template.
            Invalid: the content is not what a template may be, or for another channel.
            Conflict: it is archived, the name is another's, or the version it began with is not the newest.
        """
        inspection = await self._inspected(who.tenant_id, written)
        try:
            async with self._database.tenant_transaction(who.tenant_id) as connection:
                template = await writable(connection, who.tenant_id, ref)
                place = _place(who, template.id, template.newest + 1)
                _check_succession(template, written)
                if written.name != template.name:
                    await _rename(connection, place, template, written.name)
                return await self._save(connection, place, written, inspection)
        except UniqueViolation:
            raise _taken() from None

    async def get(self, tenant_id: UUID, ref: Ref) -> tuple[Template, Version]:
        """Return a template and its newest version, or raise NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            template = await found(connection, tenant_id, ref)
            return template, await found_version(connection, template.id, template.newest)

    async def page(self, tenant_id: UUID, window: Window) -> Sequence[Template]:
        """Return templates that are not archived, newest first."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await repository.listed(connection, window)

    async def archive(self, who: Identity, ref: Ref) -> None:
        """Take a template out of use; its name is free, and what was accepted with it is sent all the same."""
        async with self._database.tenant_transaction(who.tenant_id) as connection:
            template = await found(connection, who.tenant_id, ref, lock=True)
            if await repository.archive(connection, template.id):
                await repository.note(connection, _place(who, template.id, None), "archived")

    async def version(self, tenant_id: UUID, ref: Ref, number: int) -> Version:
        """Return one version, or raise NotFound."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            template = await found(connection, tenant_id, ref)
            return await found_version(connection, template.id, number)

    async def versions(self, tenant_id: UUID, ref: Ref, window: Window) -> Sequence[Version]:
        """Return versions, newest first."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            template = await found(connection, tenant_id, ref)
            return await repository.versions_of(connection, template.id, window)

    async def events(self, tenant_id: UUID, ref: Ref, window: Window) -> Sequence[Event]:
        """Return who did what, newest first."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            template = await found(connection, tenant_id, ref)
            return await repository.events_of(connection, tenant_id, template.id, window)

    async def results(self, tenant_id: UUID, ref: Ref) -> Sequence[Result]:
        """Count what became of the messages it said."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            template = await found(connection, tenant_id, ref)
            return await count_results(connection, template.id)

    async def _inspected(self, tenant_id: UUID, written: Written) -> Inspection:
        written.check()
        return await self._inspector.inspect(tenant_id, written.content)

    async def _save(
        self, connection: Connection, place: Mapping[str, Any], written: Written, inspection: Inspection
    ) -> Saved:
        tenant_id, template_id, number = place["tenant_id"], place["id"], place["version"]
        settled, warnings = written.settled(inspection, await globals_of(connection, tenant_id))
        newest = await repository.version_of(connection, template_id, number - 1)
        if newest and newest.content_hash == settled.content.hash and newest.state in LIVING:
            return await _as_it_is(connection, await found(connection, tenant_id, Ref(template_id, None)), warnings)
        required = await review_required(connection, tenant_id)
        state = _beginning(settled, required=required)
        await repository.write_version(connection, place, settled.content, state)
        await repository.note(connection, place, "saved", {"content_hash": settled.content.hash.hex()})
        if state is State.IN_REVIEW:
            await repository.note(connection, place, "submitted")
        if state is State.APPROVED:
            await repository.note(connection, place, "approved", {"review": "off"})
        template = await found(connection, tenant_id, Ref(template_id, None))
        return Saved(template, await found_version(connection, template_id, number), is_new=True, warnings=warnings)


async def found(connection: Connection, tenant_id: UUID, ref: Ref, *, lock: bool = False) -> Template:
    """Return a template, or raise NotFound."""
    template = await repository.find(connection, tenant_id, ref, lock=lock)
    if template is None:
        raise NotFound("There is no such template.")
    return template


async def writable(connection: Connection, tenant_id: UUID, ref: Ref) -> Template:
    """Return a template, locked; raises NotFound, and Conflict when it is archived."""
    template = await found(connection, tenant_id, ref, lock=True)
    if template.deleted_at is not None:
        raise Conflict("This template is archived.", code="template_archived")
    return template


async def found_version(connection: Connection, template_id: UUID, number: int) -> Version:
    """Return a version, or raise NotFound."""
    version = await repository.version_of(connection, template_id, number)
    if version is None:
        raise NotFound("There is no such version.")
    return version


async def _as_it_is(connection: Connection, template: Template, warnings: Sequence[Warned] = ()) -> Saved:
    version = await found_version(connection, template.id, template.newest)
    return Saved(template, version, is_new=False, warnings=warnings, replayed=True)


async def _rename(connection: Connection, place: Mapping[str, Any], template: Template, name: str) -> None:
    if not await repository.rename(connection, template.id, name):
        raise _taken()
    await repository.note(connection, {**place, "version": None}, "renamed", {"from": template.name, "to": name})


def _check_succession(template: Template, written: Written) -> None:
    if written.content.channel != template.channel:
        detail = f"A template stays with its channel, {template.channel}."
        raise Invalid.at("/channel", "template_channel_mismatch", detail)
    if written.base_version not in {None, template.newest}:
        raise Conflict(f"The newest version is {template.newest} by now.")


def _beginning(written: Written, *, required: bool) -> State:
    if written.as_draft:
        return State.DRAFT
    if not required:
        return State.APPROVED
    return State.IN_REVIEW if written.for_use else State.DRAFT


def _place(who: Identity, template_id: UUID, version: int | None) -> dict[str, Any]:
    return {"tenant_id": who.tenant_id, "id": template_id, "version": version, "key_id": who.key_id}


def _taken() -> Conflict:
    return Conflict("There is a template with this name already.", code="name_taken")
