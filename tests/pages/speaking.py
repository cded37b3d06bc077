"""Providers that answer by a script: what they say is a function of the message, the attempt and the hour."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.contracts.vocabulary import ChannelKind
from tests.pages.wishes import TICK, Days, Wish, Word

BYTES = b"the bytes"


class Speaking:
    """One channel of one run; `now` is moved by whoever moves the time."""

    def __init__(self, kind: ChannelKind, wishes: Sequence[Wish], days: Days) -> None:
        self.kind = kind
        self.now = 0
        self.copies: Counter[UUID] = Counter()
        self._wishes = wishes
        self._days = days
        self._tries: Counter[UUID] = Counter()

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        """Say what stands in the script for this attempt."""
        if self.now in self._days.away:
            return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable", "relay", retry_after=TICK)
        word = self._word(parcel)
        if word.marked and not await mark(BYTES, "relay"):
            return Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn", "relay")
        self._tries[parcel.delivery_id] += 1
        self.copies[parcel.delivery_id] += word.taken
        if word.breaks:
            raise RuntimeError("a fault of ours")
        return Answer(word.verdict, Phase.ANSWER if word.marked else Phase.ENVELOPE, f"said_{word.verdict}", "relay")

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        """Tell the truth, where it can be asked."""
        if not self._days.asked:
            return {}
        return {
            one.delivery_id: Evidence.FOUND if self.copies[one.delivery_id] else Evidence.ABSENT for one in suspects
        }

    async def close(self) -> None:
        """Nothing is held open."""

    def _word(self, parcel: Parcel) -> Word:
        words = self._wishes[int(parcel.metadata["wish"])].words
        return words[min(self._tries[parcel.delivery_id], len(words) - 1)]
