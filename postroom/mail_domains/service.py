"""Mail domains as the API reads and writes them."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func

from postroom.channels.email.addresses import clean_address
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid
from postroom.feedback.return_paths import LETTERS
from postroom.identity import new_id
from postroom.mail_domains import repository
from postroom.mail_domains.checking import Standing, standing_of
from postroom.mail_domains.models import Algorithm, KeyState
from postroom.mail_domains.pairs import new_pair, selector_of
from postroom.notifications.naming import made_before
from postroom.notifications.request import IdempotencyKey
from postroom.paging import Page
from postroom.tenants.secrets import Seal
from postroom.timing import Timing

MOST = 100  # domains of one tenant

_HOST = re.compile(r"(?=.{4,253}\Z)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?)+")


@dataclass(frozen=True, slots=True)
class NewDomain:
    """What a tenant asks for."""

    domain: str
    bounce_domain: str | None = None
    spf_include: str | None = None
    ed25519: bool = False

    @property
    def algorithms(self) -> Sequence[Algorithm]:
        """How its mail is to be signed."""
        return (Algorithm.RSA, Algorithm.ED25519) if self.ed25519 else (Algorithm.RSA,)


class MailDomains:
    """Mail domains of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database, seal: Seal, timing: Timing) -> None:
        self._database = database
        self._seal = seal
        self._timing = timing

    async def add(self, tenant_id: UUID, asked: NewDomain, key: IdempotencyKey | None) -> Standing:
        """Declare a domain; its keys sign once DNS shows them.

        Raises:
            Invalid: a name is none, the bounce domain is not below the domain, or the tenant has enough of them.
            Conflict: the tenant has this domain.
        """
        domain_id, values = new_id(), _names(asked)
        keys = await self._new_keys(tenant_id, domain_id, asked.algorithms)
        async with self._database.tenant_session(tenant_id) as session:
            if earlier := await made_before(session, tenant_id, key, domain_id):
                found = await standing_of(session, earlier)
                return Standing(found.domain, found.keys, replayed=True)
            if await repository.count(session, tenant_id) >= MOST:
                raise Invalid(f"A tenant has at most {MOST} mail domains.", code="too_many_mail_domains")
            row = {"id": domain_id, "tenant_id": tenant_id, "ed25519": asked.ed25519, "state": "unverified"}
            soon = {"findings": [], "next_check_at": func.now() + self._timing.domain_check_soon}
            if await repository.add(session, row | soon | values) is None:
                raise Conflict("This mail domain is declared already.", code="domain_taken")
            await repository.add_keys(session, keys)
            return await standing_of(session, domain_id)

    async def get(self, tenant_id: UUID, domain_id: UUID) -> Standing:
        """Return a domain or raise NotFound."""
        async with self._database.tenant_session(tenant_id) as session:
            return await standing_of(session, domain_id)

    async def page(self, tenant_id: UUID, window: tuple[UUID | None, int]) -> Page[Standing]:
        """Return domains, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            found = await repository.domains(session, (after, limit + 1))
            keys = await repository.keys_of(session, [domain.id for domain in found[:limit]])
        items = [Standing(one, [key for key in keys if key.domain_id == one.id]) for one in found[:limit]]
        return Page(items, items[-1].domain.id if len(found) > limit else None)

    async def rotate(self, tenant_id: UUID, domain_id: UUID, key: IdempotencyKey | None) -> Standing:
        """Make the next keys; the ones of now sign until DNS shows these.

        Raises:
            NotFound: the tenant has no such domain.
            Conflict: there are next keys already that DNS does not show.
        """
        before = await self.get(tenant_id, domain_id)
        algorithms = NewDomain(before.domain.domain, ed25519=before.domain.ed25519).algorithms
        keys = await self._new_keys(tenant_id, domain_id, algorithms)
        async with self._database.tenant_session(tenant_id) as session:
            now = await standing_of(session, domain_id, lock=True)
            if await made_before(session, tenant_id, key, domain_id):
                return Standing(now.domain, now.keys, replayed=True)
            if any(one.state == KeyState.PENDING for one in now.keys):
                raise Conflict("A key of this domain still waits to be published.", code="rotation_pending")
            await repository.forget_keys(session, domain_id, self._timing.key_overlap)
            await repository.add_keys(session, keys)
            soon = {"next_check_at": func.now() + self._timing.domain_check_soon}
            await repository.change(session, domain_id, soon)
            return await standing_of(session, domain_id)

    async def remove(self, tenant_id: UUID, domain_id: UUID) -> None:
        """Delete a domain and its keys; its mail is not signed any more. Raises NotFound."""
        async with self._database.tenant_session(tenant_id) as session:
            await standing_of(session, domain_id, lock=True)
            await repository.remove(session, domain_id)

    async def _new_keys(
        self, tenant_id: UUID, domain_id: UUID, algorithms: Sequence[Algorithm]
    ) -> list[dict[str, Any]]:
        keys = []
        for algorithm in algorithms:
            key_id, pair = new_id(), await asyncio.to_thread(new_pair, algorithm)
            sealed = self._seal.seal(pair.secret, tenant_id=tenant_id, row_id=key_id)
            keys.append(
                {
                    "id": key_id,
                    "tenant_id": tenant_id,
                    "domain_id": domain_id,
                    "selector": selector_of(key_id, algorithm),
                    "algorithm": algorithm,
                    "state": KeyState.PENDING,
                    "public_key": pair.public,
                    "secret": sealed.content,
                    "secret_key_id": sealed.key_id,
                }
            )
        return keys


def _names(asked: NewDomain) -> dict[str, str | None]:
    domain = _mail_domain("/domain", asked.domain)
    bounces = _mail_domain("/bounce_domain", asked.bounce_domain, LETTERS) if asked.bounce_domain else None
    if bounces and bounces != domain and not bounces.endswith(f".{domain}"):
        detail = "The bounce domain must be the domain or lie below it, or SPF would speak for somebody else."
        raise Invalid.at("/bounce_domain", "bounce_domain_not_aligned", detail)
    include = asked.spf_include.lower().removesuffix(".") if asked.spf_include else None
    if include and not _HOST.fullmatch(include):
        raise Invalid.at("/spf_include", "invalid_domain", "This is not the name of a host.")
    return {"domain": domain, "bounce_domain": bounces, "spf_include": include}


def _mail_domain(pointer: str, text: str, letters: int = 1) -> str:
    """Spell a domain as the address of a sender spells it, with so many letters before the @; raises Invalid."""
    try:
        return clean_address(f"{'a' * letters}@{text.removesuffix('.')}").rpartition("@")[2]
    except Invalid as error:
        raise Invalid.at(pointer, "invalid_domain", "This is not a domain of the public mail system.") from error
