"""Whatever a file holds, every line of it is a record or part of one, and one that is broken breaks no other."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.contact_files.records import RECORD_LENGTH, TOO_LONG, UNCLOSED, Cutter, Record
from postroom.errors import Invalid


def cut(raw: bytes, size: int = 7) -> list[Record]:
    cutter, found = Cutter(), list[Record]()
    for start in range(0, len(raw), size):
        found += cutter.feed(raw[start : start + size])
    return found + list(cutter.end())


def told(raw: bytes, size: int = 7) -> list[tuple[int, str | None]]:
    return [(one.line, one.broken or one.text) for one in cut(raw, size)]


def test_line_ends_and_marks_and_empty_lines() -> None:
    text = b"\xef\xbb\xbfa,b\r\n\r\n1,2\n\n3,4"
    assert told(text, 1) == told(text, 100) == [(1, "a,b"), (3, "1,2"), (5, "3,4")]


def test_a_break_within_quotes_belongs_to_its_record() -> None:
    assert told(b'a,"x\ny ""z"" ",b\nc,d,e\n') == [(1, 'a,"x\ny ""z"" ",b'), (3, "c,d,e")]


def test_a_quote_that_is_not_closed_breaks_one_line() -> None:
    far = b"".join(b"p%d,x\n" % number for number in range(20_000))
    found = told(b'a,"b\n' + far, 4096)
    assert found[:2] == [(1, UNCLOSED), (2, "p0,x")]
    assert found[-1] == (20_001, "p19999,x")
    assert len(found) == 20_001
    assert told(b'a,b\nc,"d\ne,f') == [(1, "a,b"), (2, UNCLOSED), (3, "e,f")]


@pytest.mark.parametrize("size", [1_000, 65_536, 1_000_000])
def test_a_line_without_end_is_not_held(size: int) -> None:
    endless = b"x" * (3 * RECORD_LENGTH)
    assert told(b"a,b\n" + endless + b'"\nc,d\n', size) == [(1, "a,b"), (2, TOO_LONG), (3, "c,d")]
    assert told(b'a,"b\n' + endless + b"\nc,d\n", size) == [(1, UNCLOSED), (2, TOO_LONG), (3, "c,d")]
    cutter = Cutter()
    for _ in range(50):
        list(cutter.feed(endless))
    assert len(cutter._tail) <= RECORD_LENGTH  # noqa: SLF001 - what is held is the point


def test_what_is_no_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(Invalid, match="line 3"):
        cut(b"a\nb\n\xff\n", 100)


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8),
            min_size=2,
            max_size=3,
        )
    ),
    st.integers(1, 50),
)
def test_whatever_a_program_writes_is_cut_where_it_ended(table: list[list[str]], size: int) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(table)
    found = cut(text.getvalue().encode(), size)
    assert [next(csv.reader([one.text], strict=True)) for one in found] == table
