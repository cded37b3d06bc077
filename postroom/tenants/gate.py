"""Who is asking: turns a key into an identity, from a short memory or from the database."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from postroom.database.engine import Database
from postroom.errors import Forbidden, Unauthenticated, Unavailable
from postroom.tenants.keys import Scope, key_hash, well_formed
from postroom.tenants.repository import Row, key_by_hash

MEMORY_SECONDS = 3.0  # a revocation counts within five seconds, the lookup included
MEMORY_KEYS = 10_000
LOOKUP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A tenant, as proven by one of its keys."""

    tenant_id: UUID
    tenant_slug: str
    key_id: UUID
    scopes: frozenset[str]

    def require(self, scope: Scope) -> None:
        """Refuse what the key was not made for."""
        if scope not in self.scopes:
            raise Forbidden(f"This key lacks the scope {scope}.", code="insufficient_scope")

    def is_named_by(self, text: str) -> bool:
        """Tell whether a `tenant_id` given by the caller is the caller's own: its slug or its id."""
        return text in {self.tenant_slug, str(self.tenant_id), self.tenant_id.hex, f"tenant_{self.tenant_id.hex}"}


Verdict = Identity | Unauthenticated


class Gate:
    """Recognises keys. It remembers good and bad ones alike for a moment, a bounded number of each."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper
        self._good = _Memory()
        self._bad = _Memory()
        self._lookups: dict[bytes, asyncio.Task[Verdict]] = {}

    async def identify(self, text: str) -> Identity:
        """Return whose key this is.

        Raises:
            Unauthenticated: it is nobody's, or it has expired or was revoked.
            Unavailable: the database did not say in time.
        """
        hashed = key_hash(self._pepper, text)
        verdict = self._good.get(hashed) or self._bad.get(hashed)
        if verdict is None:
            verdict = await self._look_up(hashed) if well_formed(text) else _unknown()
        if isinstance(verdict, Unauthenticated):
            raise Unauthenticated(verdict.detail, code=verdict.code)
        return verdict

    async def _look_up(self, hashed: bytes) -> Verdict:
        """Ask once for all requests that carry the same key at the same time, and wait only so long."""
        lookup = self._lookups.get(hashed)
        if lookup is None:
            lookup = self._lookups[hashed] = asyncio.create_task(self._read(hashed))
            lookup.add_done_callback(lambda _: self._lookups.pop(hashed, None))
        done, _ = await asyncio.wait({lookup}, timeout=LOOKUP_SECONDS)
        if not done:
            raise Unavailable("The database did not answer; nothing was done.", retry_after=5)
        return lookup.result()

    async def _read(self, hashed: bytes) -> Verdict:
        async with self._database.system_transaction() as connection:
            verdict = _judge(await key_by_hash(connection, hashed))
        memory = self._good if isinstance(verdict, Identity) else self._bad
        memory.put(hashed, verdict)
        return verdict


def _judge(row: Row | None) -> Verdict:
    if row is None:
        return _unknown()
    if row["revoked"]:
        return Unauthenticated("This key was revoked.", code="key_revoked")
    if row["expired"]:
        return Unauthenticated("This key has expired.", code="key_expired")
    return Identity(row["tenant_id"], row["slug"], row["id"], frozenset(row["scopes"]))


def _unknown() -> Unauthenticated:
    return Unauthenticated("This key is not known.", code="key_unknown")


class _Memory:
    """Verdicts of the last seconds; the oldest make room for new ones."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[bytes, tuple[float, Verdict]] = OrderedDict()

    def get(self, hashed: bytes) -> Verdict | None:
        remembered = self._verdicts.get(hashed)
        if remembered is None or remembered[0] < time.monotonic():
            return None
        return remembered[1]

    def put(self, hashed: bytes, verdict: Verdict) -> None:
        self._verdicts.pop(hashed, None)
        self._verdicts[hashed] = (time.monotonic() + MEMORY_SECONDS, verdict)
        if len(self._verdicts) > MEMORY_KEYS:
            self._verdicts.popitem(last=False)
