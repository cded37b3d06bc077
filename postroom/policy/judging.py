"""Policy for a page: its facts in a constant number of statements, one decision each, the effects in as many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection
from postroom.policy.decision import Allow, Defer, Verdict, counts, decide
from postroom.policy.effects import Decided, carry_out
from postroom.policy.facts import Facts
from postroom.policy.greeting import greet
from postroom.policy.reading import Candidate, read_background
from postroom.policy.usage import REMEMBERED, Key, Place, Rank, Register, Usage, Waiter
from postroom.timing import Timing
from postroom.turns import in_turns


@dataclass(frozen=True, slots=True)
class Case:
    """One message of a page and what it is decided from."""

    candidate: Candidate
    facts: Facts

    @property
    def now(self) -> datetime:
        """The moment of the decision, by the database's clock."""
        at: datetime = self.candidate.row["read_at"]
        return at

    @property
    def key(self) -> Key:
        """Under which row it is counted."""
        return str(self.candidate.row["user_id"]), str(self.facts.message.subject.message_class)

    @property
    def turn(self) -> tuple[int, int]:
        """Its rank as numbers, which are compared in a fraction of the time."""
        urgency, accepted_as = self.rank
        return urgency, accepted_as.int

    @property
    def rank(self) -> Rank:
        """Who goes first."""
        accepted_as: UUID = self.candidate.row["notification_id"] or self.candidate.id
        return int(self.facts.message.priority), accepted_as


@dataclass(slots=True)
class Judgement:
    """What was decided on a page: who may go, and when each of those was counted; `close` writes the places."""

    register: Register
    verdicts: Mapping[UUID, Verdict]
    counted_at: dict[UUID, datetime] = field(default_factory=dict)
    usages: Mapping[Key, Usage] = field(default_factory=dict)

    def allows(self, delivery_id: UUID) -> bool:
        """Whether policy lets a delivery go; one it was not asked about goes."""
        return isinstance(self.verdicts.get(delivery_id, ALLOWED), Allow)

    async def close(self, refused: frozenset[UUID]) -> None:
        """Write the places that were taken; those of `refused` claims are given back."""
        for usage in self.usages.values():
            for delivery_id in refused & usage.places.keys():
                del usage.places[delivery_id]
        await self.register.write(self.usages.values())


ALLOWED = Allow()


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides on the messages of one claim, inside its transaction and under its locks."""

    timing: Timing

    async def judge(
        self, connection: Connection, tenant_id: UUID, channel: ChannelKind, candidates: Sequence[Candidate]
    ) -> Judgement:
        """Decide on every candidate that is for a person, and write what does not go; the caller claims the others.

        The order of locks goes on from the deliveries the caller has locked: contacts by name, then usage by name and
        class, then digests.
        """
        register = Register(connection, tenant_id, channel)
        personal = [one for one in candidates if one.row["user_id"]]
        if not personal:
            return Judgement(register, {})
        await greet(connection, tenant_id, channel, personal)
        background = await read_background(connection, tenant_id, channel, personal)
        windows = self.timing.cap_windows
        cases = [Case(one, background.facts(one, *windows)) async for one in in_turns(personal)]
        verdicts = {case.candidate.id: decide(case.facts, case.now) async for case in in_turns(cases)}
        capped = [case for case in cases if case.facts.caps and isinstance(verdicts[case.candidate.id], Allow)]
        judgement = Judgement(register, verdicts)
        if capped:
            judgement.usages = await register.lock(_wanted(capped), background.counted)
            await self._find_places(judgement, capped, verdicts)
        await carry_out(
            connection,
            tenant_id,
            [Decided(case.candidate.row, verdicts[case.candidate.id]) for case in cases],
            self.timing,
        )
        return judgement

    async def _find_places(self, judgement: Judgement, capped: Sequence[Case], verdicts: dict[UUID, Verdict]) -> None:
        """Decide again, one after the other in the order of their rank, with the places the ones before left."""
        demand: dict[Key, list[Case]] = {}
        for case in sorted(capped, key=lambda one: one.turn):
            demand.setdefault(case.key, []).append(case)
        crowded: dict[Key, Usage] = {}
        for key, cases in demand.items():
            if _is_crowded(judgement.usages[key], cases):
                crowded[key] = judgement.usages[key]
        await judgement.register.sort_out(list(crowded.values()), frozenset(case.candidate.id for case in capped))
        for key, cases in demand.items():
            for case in cases:
                if key in crowded:
                    verdicts[case.candidate.id] = _seat(case, crowded[key], judgement.counted_at)
                elif counts(case.facts):  # there is room for all of them, so the verdict stays
                    judgement.usages[key].places[case.candidate.id] = judgement.counted_at[case.candidate.id] = case.now


def _wanted(capped: Sequence[Case]) -> dict[Key, Place | None]:
    """Whose rows are wanted, and the place of each person whom one message alone is to reach."""
    wanted: dict[Key, Place | None] = {}
    for case in capped:
        alone = case.key not in wanted and counts(case.facts)
        wanted[case.key] = Place(case.candidate.id, case.now) if alone else None
    return wanted


def _is_crowded(usage: Usage, cases: Sequence[Case]) -> bool:
    if usage.written is not None:  # it is new, and all it holds is this one's place
        return False
    caps, now = cases[0].facts.caps, cases[0].now
    usage.forget(caps, now)
    return usage.is_crowded(sum(case.candidate.id not in usage.places for case in cases), caps, now)


def _seat(case: Case, usage: Usage, counted_at: dict[UUID, datetime]) -> Verdict:
    one, now = case.candidate.id, case.now
    facts = replace(case.facts, taken=usage.taken(one, case.rank, now))
    verdict = decide(facts, now)
    if isinstance(verdict, Defer):
        most = max(cap.limit for cap in facts.caps)
        usage.wait(Waiter(one, case.rank, verdict.until), max(most, REMEMBERED))
    elif counts(facts):
        usage.places[one] = counted_at[one] = now
    return verdict
