"""A cell is words to every spreadsheet, and is read back as what it was."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.csv_lines import csv_lines, shielded, unshielded

EVIL = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("sign", EVIL)
def test_no_cell_is_a_formula(sign: str) -> None:
    for text in (sign, f"{sign}1+1", f"'{sign}1"):
        assert shielded(text) == f"'{text}"


@given(st.text("'=+-@\t\r\n\uff1dx1 ", max_size=6))
def test_a_shield_is_taken_off_as_it_was_put_on(text: str) -> None:
    assert unshielded(shielded(text)) == text
    assert not shielded(text).startswith(EVIL)


def test_what_is_no_text_is_spelt() -> None:
    row = (None, 5, datetime(2026, 11, 20, 15, tzinfo=UTC), "a=b", "'quoted'", "-5")
    assert csv_lines([row]) == ",5,2026-11-20T15:00:00+00:00,a=b,'quoted','-5\r\n"


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=3), max_size=4))
def test_whatever_is_written_is_read_as_the_same(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_lines(rows), newline=""), strict=True))
    assert [[unshielded(cell) for cell in row] for row in read] == rows
