"""Has mails signed in threads: a private key's work takes longer than all else a mail costs, and needs none of us."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle
from uuid import UUID

from postroom.channels.base import Parcel
from postroom.channels.email.addresses import parse_sender
from postroom.channels.email.signing import SigningKey, sign
from postroom.database.grouping import GroupCommit

GROUP = 16  # messages that change threads together: going there and back costs as much as a third of a signature

KeysOf = Callable[[UUID, str], Awaitable[Sequence[SigningKey]]]


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A message that is built, and who vouches for it."""

    message: bytes
    keys: Sequence[SigningKey]
    moment: datetime


class Signer:
    """Signs with the keys of a tenant's From domains; any number of channels may share one."""

    def __init__(self, keys_of: KeysOf, threads: int | None = None) -> None:
        """Take what names the keys of a tenant and a domain; it may be asked for every message."""
        self._keys_of = keys_of
        count = threads or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="signer")
        self._lanes = cycle([GroupCommit(self._sign, GROUP) for _ in range(count)])

    async def signed(self, parcel: Parcel, message: bytes) -> bytes:
        """Return the parcel's message signed for its From domain, or as it is when the tenant has no key for that.

        The same parcel, message and keys give the same bytes. Raises only what `keys_of` raises.
        """
        domain = parse_sender(parcel.sender).address.rpartition("@")[2]
        keys = await self._keys_of(parcel.tenant_id, domain)
        if not keys:
            return message
        return await next(self._lanes).ask(Unsigned(message, keys, parcel.resolved_at))

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False)

    async def _sign(self, group: Sequence[Unsigned]) -> Sequence[bytes]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _sign_all, group)


def _sign_all(group: Sequence[Unsigned]) -> list[bytes]:
    return [sign(one.message, one.keys, one.moment) for one in group]
