"""What a status asks for: the mailbox that is not there, the one that may come back, and what is about us."""

import pytest

from postroom.feedback.consequences import Consequence, consequence
from postroom.feedback.report import enhanced_of


@pytest.mark.parametrize(
    ("enhanced", "permanent", "what"),
    [
        ("5.1.1", True, Consequence.SUPPRESS),
        ("5.1.2", True, Consequence.SUPPRESS),
        ("5.1.3", True, Consequence.SUPPRESS),
        ("5.1.6", True, Consequence.SUPPRESS),
        ("5.1.10", True, Consequence.SUPPRESS),
        ("4.1.1", False, Consequence.COUNT),
        ("5.1.8", True, Consequence.COUNT),
        ("5.2.1", True, Consequence.COUNT),
        ("5.2.2", True, Consequence.COUNT),
        ("5.2.3", True, Consequence.NOTHING),
        ("5.3.4", True, Consequence.NOTHING),
        ("5.4.4", True, Consequence.COUNT),
        ("4.4.7", False, Consequence.COUNT),
        ("5.6.7", True, Consequence.NOTHING),
        ("5.7.1", True, Consequence.NOTHING),
        ("5.7.26", True, Consequence.NOTHING),
        ("4.7.28", False, Consequence.NOTHING),
        (None, True, Consequence.COUNT),
    ],
)
def test_the_table(enhanced: str | None, permanent: bool, what: Consequence) -> None:  # noqa: FBT001 - a table
    assert consequence(enhanced, permanent=permanent) is what


@pytest.mark.parametrize(
    ("texts", "status"),
    [
        (("5.1.1",), "5.1.1"),
        (("5.0.0", "550-5.1.1 There is none"), "5.1.1"),
        (("5.0.0", "550 no"), "5.0.0"),
        (("host 192.0.2.5 said 5.1.1.5 no",), None),
        (("(#5.1.1)",), "5.1.1"),
        (("", None, 5), None),
    ],
)
def test_the_status_that_says_most_counts(texts: tuple[object, ...], status: str | None) -> None:
    assert enhanced_of(*texts) == status
