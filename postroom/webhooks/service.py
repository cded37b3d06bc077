"""Webhook endpoints as the API reads and writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.database.engine import Database
from postroom.egress.targets import parse_target
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import new_id
from postroom.notifications.naming import made_before
from postroom.notifications.request import IdempotencyKey
from postroom.paging import Page
from postroom.tenants.secrets import Seal, Sealed
from postroom.timing import Timing
from postroom.webhooks import repository
from postroom.webhooks.models import EndpointState, WebhookEndpoint
from postroom.webhooks.signing import new_secret

MOST = 50  # endpoints of one tenant
BY_OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """What a tenant asks for."""

    url: str
    events: tuple[str, ...] = ()
    description: str | None = None
    rate_per_minute: int = 100


@dataclass(frozen=True, slots=True)
class Change:
    """What shall be different: `values` holds what was named of url, events, description, rate_per_minute, state."""

    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Revealed:
    """An endpoint at a moment its secret is shown; `replayed` when an earlier request made it."""

    endpoint: WebhookEndpoint
    secret: str
    replayed: bool = False


class Endpoints:
    """Endpoints of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database, seal: Seal, timing: Timing, *, public_only: bool) -> None:
        self._database = database
        self._seal = seal
        self._timing = timing
        self._public_only = public_only

    async def add(self, tenant_id: UUID, asked: NewEndpoint, key: IdempotencyKey | None) -> Revealed:
        """Make an endpoint with a secret of its own.

        Raises:
            Invalid: the URL may not be named, or the tenant has enough endpoints.
            Conflict: the tenant has an endpoint with this URL.
        """
        endpoint_id, secret = new_id(), new_secret()
        sealed = self._seal.seal(secret, tenant_id=tenant_id, row_id=endpoint_id)
        values = {
            "id": endpoint_id,
            "tenant_id": tenant_id,
            "url": self._url(asked.url),
            "description": asked.description,
            "events": list(asked.events),
            "rate_per_minute": asked.rate_per_minute,
            "state": EndpointState.ENABLED,
            "secret": sealed.content,
            "secret_key_id": sealed.key_id,
            "event_life": self._timing.event_life,
        }
        async with self._database.tenant_session(tenant_id) as session:
            if earlier := await made_before(session, tenant_id, key, endpoint_id):
                return self._revealed(await _found(session, earlier), replayed=True)
            if await repository.count(session, tenant_id) >= MOST:
                raise Invalid(f"A tenant has at most {MOST} webhook endpoints.", code="too_many_endpoints")
            endpoint = await repository.add(session, values)
            if endpoint is None:
                raise _taken()
        return Revealed(endpoint, secret)

    async def get(self, tenant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
        """Return an endpoint or raise NotFound."""
        async with self._database.tenant_session(tenant_id) as session:
            return await _found(session, endpoint_id)

    async def page(self, tenant_id: UUID, window: tuple[UUID | None, int]) -> Page[WebhookEndpoint]:
        """Return endpoints, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            found = await repository.endpoints(session, (after, limit + 1))
        items = found[:limit]
        return Page(items, items[-1].id if len(found) > limit else None)

    async def change(self, tenant_id: UUID, endpoint_id: UUID, change: Change) -> WebhookEndpoint:
        """Change what was named; enabling forgets why it was disabled.

        Raises:
            NotFound: the tenant has no such endpoint.
            Invalid, Conflict: as `add`.
        """
        values = dict(change.values)
        if "url" in values:
            values["url"] = self._url(values["url"])
        if state := values.get("state"):
            disabled = state == EndpointState.DISABLED
            values |= {"reason": BY_OPERATOR if disabled else None, "failing_since": None}
        try:
            async with self._database.tenant_session(tenant_id) as session:
                changed = await repository.change(session, endpoint_id, values)
        except IntegrityError:
            raise _taken() from None
        if changed is None:
            raise _unknown()
        return changed

    async def remove(self, tenant_id: UUID, endpoint_id: UUID) -> None:
        """Delete an endpoint; what still waits for it is skipped."""
        async with self._database.tenant_session(tenant_id) as session:
            if not await repository.remove(session, endpoint_id):
                raise _unknown()

    async def rotate(self, tenant_id: UUID, endpoint_id: UUID, key: IdempotencyKey | None) -> Revealed:
        """Give an endpoint a new secret; the old one goes on signing beside it for a while.

        Raises:
            NotFound: the tenant has no such endpoint.
        """
        secret = new_secret()
        sealed = self._seal.seal(secret, tenant_id=tenant_id, row_id=endpoint_id)
        async with self._database.tenant_session(tenant_id) as session:
            endpoint = await _found(session, endpoint_id, lock=True)
            if await made_before(session, tenant_id, key, endpoint_id):
                return self._revealed(endpoint, replayed=True)
            values = {
                "old_secret": endpoint.secret,
                "old_secret_key_id": endpoint.secret_key_id,
                "old_secret_until": func.now() + self._timing.secret_overlap,
                "secret": sealed.content,
                "secret_key_id": sealed.key_id,
            }
            rotated = await repository.change(session, endpoint_id, values)
        if rotated is None:
            raise _unknown()
        return Revealed(rotated, secret)

    def _url(self, text: str) -> str:
        try:
            return str(parse_target(text, public_only=self._public_only))
        except Invalid as error:
            raise Invalid.at("/url", error.code, error.detail) from error

    def _revealed(self, endpoint: WebhookEndpoint, *, replayed: bool) -> Revealed:
        sealed = Sealed(endpoint.secret_key_id, endpoint.secret)
        return Revealed(endpoint, self._seal.open(sealed, tenant_id=endpoint.tenant_id, row_id=endpoint.id), replayed)


async def _found(session: AsyncSession, endpoint_id: UUID, *, lock: bool = False) -> WebhookEndpoint:
    endpoint = await repository.endpoint_of(session, endpoint_id, lock=lock)
    if endpoint is None:
        raise _unknown()
    return endpoint


def _unknown() -> NotFound:
    return NotFound("There is no such webhook endpoint.")


def _taken() -> Conflict:
    return Conflict("There is a webhook endpoint with this URL already.", code="url_taken")
