"""Writes words of the vocabulary into statements, so that a list of states is spelled in one place."""

from collections.abc import Iterable
from enum import StrEnum


def listed(words: Iterable[StrEnum]) -> str:
    """Return words as SQL wants them after IN: `('accepted', 'rejected')`; they are ours, never a caller's."""
    return "(" + ", ".join(f"'{word.value}'" for word in sorted(words)) + ")"
