"""Tells a message that makes its server hang up from a server that hangs up on everybody."""

from dataclasses import replace

from postroom.channels.base import Answer, Phase, Verdict
from postroom.channels.email.conversation import Letter

DROPPED = "dropped_by_provider"
REMEMBERED = 1_000


class Drops:
    """Remembers whose conversation was lost before the body, at a server that had let us in.

    The first loss says that the provider is away. When the same letter is lost again and others got an answer in
    between, it is the letter: a refusal for now, with an attempt of its own, and no reason to keep others from trying.
    """

    def __init__(self) -> None:
        self._heard = 0
        self._lost: dict[int, int] = {}

    def judge(self, letter: Letter, answer: Answer) -> Answer:
        """Return the answer to one try, or what the loss means by now."""
        if answer.verdict not in {Verdict.UNAVAILABLE, Verdict.UNKNOWN}:
            self._heard += 1
            if self._lost:
                self._lost.pop(hash(letter), None)
            return answer
        if not _lost_in_talk(answer):
            return answer
        known = self._lost.setdefault(hash(letter), self._heard)
        if len(self._lost) > REMEMBERED:
            del self._lost[next(iter(self._lost))]
        return answer if known == self._heard else replace(answer, verdict=Verdict.DEFERRED, reason=DROPPED)


def _lost_in_talk(answer: Answer) -> bool:
    away = answer.verdict is Verdict.UNAVAILABLE
    return away and answer.code is None and answer.phase in {Phase.ENVELOPE, Phase.DATA}
