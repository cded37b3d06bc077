"""The counter: says early what cannot be taken, and answers a repeated request whatever limits and clocks say."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from postroom.database.engine import Database
from postroom.errors import Invalid, PostroomError
from postroom.notifications.accepting import Accepted, Accepting, accepted, answered_in_time
from postroom.notifications.backlog import Backlog
from postroom.notifications.replay import earlier_answer
from postroom.notifications.request import Draft
from postroom.rates import Rate, RateExceeded, Standing
from postroom.subscriptions.classes import Classes
from postroom.templates.pinning import pin
from postroom.webhooks.addressing import require_endpoint


class Reception:
    """Takes drafts for one process."""

    def __init__(  # noqa: PLR0913 - what a counter stands on
        self, database: Database, accepting: Accepting, backlog: Backlog, per_user: Rate, classes: Classes
    ) -> None:
        self._database = database
        self._classes = classes
        self._accepting = accepting
        self._backlog = backlog
        self._per_user = per_user

    async def receive(self, draft: Draft) -> tuple[Accepted, Standing | None]:
        """Accept a draft, and say where the addressed person's rate stands.

        Raises:
            Invalid: nothing could carry it, its template has no words for it, or its time has passed.
            TooMany: the backlog is full, or the person was addressed too often.
            Unavailable: the database did not answer in time.
            A repeated request gets its answer all the same: since the first one, time may have passed.
        """
        try:
            draft = await self._classes.settled(draft)
            draft.request.check(datetime.now(UTC))
            if url := draft.request.webhook_url:
                await require_endpoint(self._database, draft.tenant_id, url)
            if use := draft.request.template:
                recipient = draft.tenant_id, draft.request.user_id or str(draft.id)
                pinned = pin(self._database, use, draft.request.channels, recipient)
                draft = replace(draft, casting=await answered_in_time(pinned))
        except Invalid as refusal:
            return await self._replay_or(refusal, draft), None
        if full := self._backlog.refusal():
            return await self._replay_or(full, draft), None
        person = _person(draft)
        standing = self._per_user.hit(person) if person else None
        if standing and not standing.allowed:
            return await self._replay_or(_too_often(standing), draft), standing
        counted = False
        try:
            answer = await self._accepting.accept(draft)
            counted = not answer.replayed
        finally:
            if person and not counted:
                self._per_user.give_back(person)
        if standing and not counted:
            standing = replace(standing, remaining=standing.remaining + 1)
        return answer, standing

    async def _replay_or(self, refusal: PostroomError, draft: Draft) -> Accepted:
        earlier = await earlier_answer(self._database, draft.tenant_id, draft.key)
        if earlier is None:
            raise refusal
        return accepted(draft, earlier.id, earlier.accepted_at, replayed=True)


def _person(draft: Draft) -> tuple[UUID, str] | None:
    user_id = draft.request.user_id
    return (draft.tenant_id, user_id) if user_id is not None else None


def _too_often(standing: Standing) -> RateExceeded:
    detail = f"This user_id was addressed {standing.limit} times within a minute."
    return RateExceeded(detail, "user_rate_limited", standing)
