"""Makes "absent" final: a message declared absent cannot be accepted by a transaction that was open at that moment."""

from collections.abc import Iterable

# Far more than the suspects of one reconciliation; past it the oldest declarations go.
FENCE_LIMIT = 100_000


class Fences:
    """Declarations of absence, each valid for the transactions older than itself.

    A stopped sender may wake up after the answer "absent" and finish its body; with the message already on its way
    again that would be a second copy. Transactions begun after the declaration pass: they are the second attempt.
    """

    def __init__(self) -> None:
        self._now = 0
        self._declared: dict[str, int] = {}

    @property
    def now(self) -> int:
        """The moment a transaction begins, to be shown again when its body has come."""
        return self._now

    def declare(self, message_ids: Iterable[str], oldest_open: int | None) -> None:
        """Refuse these ids to every open transaction; `oldest_open` is when the oldest one began, None without any."""
        if oldest_open is None:
            self._declared.clear()
            return
        self._declared = {known: at for known, at in self._declared.items() if at > oldest_open}
        self._now += 1
        self._declared.update(dict.fromkeys(message_ids, self._now))
        for surplus in list(self._declared)[: max(0, len(self._declared) - FENCE_LIMIT)]:
            del self._declared[surplus]

    def lift(self, message_ids: Iterable[str]) -> None:
        """Forget the declaration: these were found after all."""
        for message_id in message_ids:
            self._declared.pop(message_id, None)

    def refuse(self, message_id: str | None, begun: int) -> bool:
        """Whether a transaction begun at that moment must not bring this message any more."""
        return message_id is not None and self._declared.get(message_id, -1) > begun
