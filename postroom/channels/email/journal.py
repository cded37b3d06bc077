"""Asks the journal of a relay which messages it has taken, by Message-ID."""

import logging
from collections.abc import Sequence

import httpx2

from postroom.channels.base import Evidence

log = logging.getLogger(__name__)

PAGE = 500
PATIENCE_SECONDS = 5.0
TRIES = 3  # without an answer some messages are sent again by policy: one lost question must not decide that


class Journal:
    """The evidence side of a relay: `POST {url}/api/evidence`."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/api/evidence"
        # The journal stands beside the relay; an outbound proxy of the deployment has no business in between.
        self._client = httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False)

    async def ask(self, message_ids: Sequence[str]) -> dict[str, Evidence]:
        """Return what the journal knows; a missing key means that it did not say."""
        known: dict[str, Evidence] = {}
        for at in range(0, len(message_ids), PAGE):
            known |= await self._ask_page(message_ids[at : at + PAGE])
        return known

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def _ask_page(self, message_ids: Sequence[str]) -> dict[str, Evidence]:
        for _ in range(TRIES):
            try:
                absent, found = await self._said(message_ids)
            except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
                log.warning("the relay's journal did not answer: %s", type(error).__name__)
                continue
            # Found wins over absent: a second copy is worse than a wait.
            known = {one: Evidence.ABSENT for one in message_ids if one in absent}
            return known | {one: Evidence.FOUND for one in message_ids if one in found}
        return {}

    async def _said(self, message_ids: Sequence[str]) -> tuple[set[str], set[str]]:
        response = await self._client.post(self._url, json={"message_ids": list(message_ids)})
        response.raise_for_status()
        said = response.json()
        return set(said["absent"]), set(said["found"])
