"""Keeps in rows how services fare: what fails too often in a row is frozen, and tried by one message at a time."""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from postroom.channels.base import Answer, Verdict
from postroom.channels.email.drops import DROPPED
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database
from postroom.sender_services.book import Standing
from postroom.sender_services.telling import alert, announce
from postroom.sender_services.waking import resume_tasks
from postroom.timing import Timing
from postroom.webhooks.models import EventType

log = logging.getLogger(__name__)

CLOSING = 421
PROVIDER_LEVEL = frozenset({"policy_refusal", "sender_refused"})  # 5.7.x: about us, whoever the recipient is

WELL = """
UPDATE sender_services SET errors = 0, last_success_at = now() WHERE id = %(id)s AND status = 'active'
"""
# Tries that had begun before the last error was known count as that one: a server that falls with sixteen connections
# open has failed once.
FULL = "errors + 1 >= error_threshold"
ERR = f"""
UPDATE sender_services
SET errors = errors + 1, last_error = %(reason)s, last_error_at = now(),
    status = CASE WHEN {FULL} THEN 'frozen' ELSE status END,
    frozen_by = CASE WHEN {FULL} THEN 'health' END,
    reason = CASE WHEN {FULL} THEN %(reason)s END,
    frozen_at = CASE WHEN {FULL} THEN now() END,
    pause = CASE WHEN {FULL} THEN %(pause)s END,
    probe_at = CASE WHEN {FULL} THEN now() + %(pause)s END
WHERE id = %(id)s AND status = 'active' AND (last_error_at IS NULL OR last_error_at <= now() - %(took)s)
RETURNING *
"""
CLAIM_PROBE = """
UPDATE sender_services SET probe_token = %(token)s, probe_until = now() + %(lease)s
WHERE id = %(id)s AND status = 'frozen' AND frozen_by = 'health' AND probe_at <= now()
    AND (probe_until IS NULL OR probe_until <= now())
RETURNING id
"""
HOLD_PROBE = """
UPDATE sender_services SET probe_until = now() + %(lease)s WHERE id = %(id)s AND probe_token = %(token)s
"""
LEAVE_PROBE = """
UPDATE sender_services SET probe_token = NULL, probe_until = NULL WHERE id = %(id)s AND probe_token = %(token)s
"""
STAY_FROZEN = """
UPDATE sender_services
SET errors = errors + 1, last_error = %(reason)s, last_error_at = now(), reason = %(reason)s,
    pause = least(pause * 2, %(last)s), probe_at = now() + least(pause * 2, %(last)s),
    probe_token = NULL, probe_until = NULL
WHERE id = %(id)s AND probe_token = %(token)s
"""
THAW = """
UPDATE sender_services
SET status = 'active', frozen_by = NULL, reason = NULL, frozen_at = NULL, errors = 0, pause = NULL, probe_at = NULL,
    probe_token = NULL, probe_until = NULL, last_error_at = NULL, last_success_at = now()
WHERE id = %(id)s AND status = 'frozen' AND probe_token = %(token)s
RETURNING *
"""


def is_well(answer: Answer) -> bool:
    """Whether the service did what it is for."""
    return answer.verdict is Verdict.ACCEPTED


def is_ill(answer: Answer) -> bool:
    """Whether an answer speaks against the service: no connection, no login, no answer, or a refusal of us as such.

    Words about one recipient (5.1.1, a full mailbox, greylisting) say nothing, nor does a wait that somebody asked
    for, or that an earlier failure led to.
    """
    if answer.verdict is Verdict.UNAVAILABLE:
        return answer.retry_after is None and answer.reason != DROPPED
    if answer.verdict is Verdict.UNKNOWN:
        return True
    return answer.code == CLOSING or answer.reason in PROVIDER_LEVEL


class Health:
    """Writes what answers say of services; every call is one transaction, and raises what the database raises."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._timing = timing

    async def fared_well(self, service: Standing) -> None:
        """Note a success; it ends a row of errors."""
        async with self._database.tenant_transaction(service.tenant_id) as connection:
            await connection.execute(WELL, {"id": service.id})

    async def erred(self, service: Standing, answer: Answer, took: timedelta) -> bool:
        """Count an error of a try that took so long; returns whether it froze the service."""
        values = {"id": service.id, "reason": answer.reason, "took": took, "pause": self._timing.service_pause}
        async with self._database.tenant_transaction(service.tenant_id) as connection:
            row = await (await connection.execute(ERR, values)).fetchone()
            if row is None or row["status"] == "active":
                return False
            await announce(connection, EventType.SERVICE_FROZEN, row)
            await alert(connection, row, self._timing)
        log.warning("%s is frozen after %d errors (%s)", service.party.name, row["errors"], answer.reason)
        return True

    async def claim_probe(self, service: Standing) -> UUID | None:
        """Ask to be the one who tries a frozen service; returns the token of the try, for one who asks at a time."""
        token = uuid4()
        values = {"id": service.id, "token": token, "lease": self._timing.service_probe}
        async with self._database.tenant_transaction(service.tenant_id) as connection:
            return token if await _one(connection, CLAIM_PROBE, values) else None

    async def hold_probe(self, service: Standing, token: UUID) -> None:
        """Keep others from trying while a server has the message: it may take its time."""
        lease = self._timing.hand_off_lease(ChannelKind.EMAIL)
        async with self._database.tenant_transaction(service.tenant_id) as connection:
            await connection.execute(HOLD_PROBE, {"id": service.id, "token": token, "lease": lease})

    async def leave_probe(self, service: Standing, token: UUID) -> None:
        """Give up a try that said nothing; the next message may have it at once."""
        async with self._database.tenant_transaction(service.tenant_id) as connection:
            await connection.execute(LEAVE_PROBE, {"id": service.id, "token": token})

    async def probed(self, service: Standing, token: UUID, answer: Answer) -> None:
        """Learn from a try: success thaws the service and resumes what waited for it, failure doubles the pause."""
        values = {"id": service.id, "token": token, "reason": answer.reason, "last": self._timing.service_pause_last}
        async with self._database.tenant_transaction(service.tenant_id) as connection:
            if is_ill(answer):
                await connection.execute(STAY_FROZEN, values)
            elif not is_well(answer):
                await connection.execute(LEAVE_PROBE, values)
            elif row := await _one(connection, THAW, values):
                await announce(connection, EventType.SERVICE_THAWED, row)
                await resume_tasks(connection)
                log.info("%s has thawed", service.party.name)


async def _one(connection: Connection, statement: str, values: dict[str, Any]) -> dict[str, Any] | None:
    return await (await connection.execute(statement, values)).fetchone()
