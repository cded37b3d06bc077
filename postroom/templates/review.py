"""Steps of a version through its review: each is one transition that exactly one caller makes, and each is noted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, Forbidden
from postroom.templates import repository
from postroom.templates.records import Ref, State, Version
from postroom.templates.rules import review_required
from postroom.templates.service import found_version, writable
from postroom.tenants.gate import Identity


@dataclass(frozen=True, slots=True)
class Way:
    """A transition: from which states to which, and how the audit calls it."""

    before: frozenset[State]
    after: State
    kind: str


SUBMIT = Way(frozenset({State.DRAFT}), State.IN_REVIEW, "submitted")
APPROVE = Way(frozenset({State.IN_REVIEW}), State.APPROVED, "approved")
REJECT = Way(frozenset({State.IN_REVIEW}), State.REJECTED, "rejected")
RETIRE = Way(frozenset(State) - {State.RETIRED}, State.RETIRED, "retired")
# What a tenant without review may do with one step: nobody else has to look.
APPROVE_UNSEEN = Way(frozenset({State.DRAFT, State.IN_REVIEW}), State.APPROVED, "approved")


@dataclass(frozen=True, slots=True)
class Step:
    """Which version somebody moves; with the hash of the content they saw, and a reason for others to read."""

    ref: Ref
    number: int
    seen: bytes | None = None
    reason: str | None = None


class Review:
    """Reviews of one deployment's templates; every step is one transaction that holds the template's row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def submit(self, who: Identity, step: Step) -> Version:
        """Ask for a review; where the tenant has none, the version is approved at once."""
        async with self._database.tenant_transaction(who.tenant_id) as connection:
            version = await _entered(connection, who, step)
            if await review_required(connection, who.tenant_id):
                await _move(connection, _place(who, version), SUBMIT, {})
            else:
                place = _place(who, version) | {"hash": version.content_hash}
                await _move(connection, place, APPROVE_UNSEEN, {"review": "off"})
            return await found_version(connection, version.template_id, version.number)

    async def approve(self, who: Identity, step: Step) -> Version:
        """Let a version be sent.

        Raises:
            NotFound: the tenant has no such version.
            Forbidden: the key wrote it, and the tenant wants a second pair of eyes.
            Conflict: it is not in review, or not what the reviewer saw.
        """
        async with self._database.tenant_transaction(who.tenant_id) as connection:
            version = await _entered(connection, who, step)
            if step.seen != version.content_hash:
                raise Conflict("The version holds something else than what was seen.", code="content_changed")
            if version.author == who.key_id and await review_required(connection, who.tenant_id):
                raise Forbidden("Somebody else than the author must approve.", code="author_cannot_approve")
            place = _place(who, version) | {"hash": step.seen}
            await _move(connection, place, APPROVE, {"content_hash": step.seen.hex()})
            return await found_version(connection, version.template_id, version.number)

    async def reject(self, who: Identity, step: Step) -> Version:
        """Turn a version down; raises what `approve` does, but for the author, who may take it back."""
        async with self._database.tenant_transaction(who.tenant_id) as connection:
            version = await _entered(connection, who, step)
            detail = {"reason": step.reason} if step.reason else {}
            await _move(connection, _place(who, version), REJECT, detail)
            return await found_version(connection, version.template_id, version.number)

    async def retire(self, who: Identity, step: Step) -> Version:
        """Let nothing more be accepted with a version; what was is sent.

        Raises:
            NotFound: the tenant has no such version.
            Conflict: it is retired already.
        """
        async with self._database.tenant_transaction(who.tenant_id) as connection:
            version = await _entered(connection, who, step)
            detail = {"reason": step.reason} if step.reason else {}
            await _move(connection, _place(who, version), RETIRE, detail)
            return await found_version(connection, version.template_id, version.number)


async def _entered(connection: Connection, who: Identity, step: Step) -> Version:
    template = await writable(connection, who.tenant_id, step.ref)
    return await found_version(connection, template.id, step.number)


async def _move(connection: Connection, place: Mapping[str, Any], way: Way, detail: Mapping[str, Any]) -> None:
    if not await repository.move(connection, {"hash": None, **place}, (way.before, way.after)):
        raise Conflict("The version is in another state by now.")
    await repository.note(connection, place, way.kind, detail)


def _place(who: Identity, version: Version) -> dict[str, Any]:
    return {
        "tenant_id": who.tenant_id,
        "id": version.template_id,
        "version": version.number,
        "key_id": who.key_id,
    }
