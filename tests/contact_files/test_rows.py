"""A hostile row is told of by its line, its column and a code, and never by what it held."""

import pytest

from postroom.contact_files.columns import MOST_COLUMNS, Column, attribute_column, read_columns
from postroom.contact_files.records import Record
from postroom.contact_files.rows import CODE_LIMIT, RowReader
from tests.fixtures.contact_files import FileDesk

CELLS = [
    ("user_id", "a\0b", "invalid_characters"),
    ("user_id", "x" * 65, "too_long"),
    ("user_id", "a\u2028b", "invalid_characters"),
    ("email", "two@shop.de,one@shop.de", "invalid_recipient"),
    ("email", "a@localhost", "recipient_domain_not_allowed"),
    ("webhook", "file:///etc/passwd", "url_not_allowed"),
    ("time_zone", "Mars/Olympus", "unknown_time_zone"),
    ("language", "not a language", "invalid_language"),
    ("tags", "x" * 65, "too_long"),
    ("tags", "|".join(f"t{number}" for number in range(101)), "too_many_tags"),
    ("attribute.a", "x\0", "invalid_characters"),
    ("attribute.a:number", "1,5", "invalid_number"),
    ("attribute.a:number", "NaN", "invalid_number"),
    ("attribute.a:number", "1e31", "number_out_of_range"),
    ("attribute.a:number", "9" * 400, "invalid_number"),
    ("attribute.a:boolean", "perhaps", "invalid_boolean"),
    ("attribute.a:date", "2026-02-30", "invalid_date"),
    ("attribute.a:json", '{"a": Infinity}', "invalid_json"),
    ("attribute.a:json", "[" * 50_000, "invalid_json"),
    ("attribute.a:json", "[" * 10 + "]" * 10, "attributes_too_deep"),
    ("attribute.a:json", '"\\ud800"', "invalid_characters"),
    ("attribute.a:json", "1e999", "number_out_of_range"),
    ("consent.marketing.email", "maybe", "invalid_boolean"),
    ("consent.marketing.email.at", "yesterday", "invalid_time"),
    ("consent.marketing.email.at", "2026-01-01T00:00:00", "invalid_time"),
    ("consent.marketing.email.source", "x" * 65, "too_long"),
]


@pytest.mark.parametrize(("name", "text", "code"), CELLS)
def test_a_cell_that_is_wrong_has_a_code(name: str, text: str, code: str) -> None:
    names = ["user_id"] if name == "user_id" else ["user_id", name]
    quoted = '"' + text.replace('"', '""') + '"'
    record = quoted if name == "user_id" else f"ada,{quoted}"
    rows, problems = RowReader(read_columns(names), ",").read([Record(9, record)])
    assert (rows, [(one.line, one.column, one.code) for one in problems]) == ([], [(9, name, code)])
    assert text[:12] not in problems[0].message


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("ada", "ragged_row"),
        ("ada,b,c", "ragged_row"),
        (",b@shop.de", "missing_user_id"),
        ('ada,"b"c', "malformed_row"),
        ('a"da",x', "malformed_row"),
        ("ada,b\rc", "malformed_row"),
    ],
)
def test_a_row_that_is_wrong_has_a_code(record: str, code: str) -> None:
    reader = RowReader(read_columns(["user_id", "attribute.x"]), ",")
    rows, problems = reader.read([Record(2, record), Record(3, "bob,fine")])
    if record.startswith('a"da"'):  # a quote within a cell that does not begin with one is a character (Excel)
        assert len(rows) == 2
        return
    assert [row.user_id for row in rows] == ["bob"]
    assert [(one.line, one.code) for one in problems] == [(2, code)]


def test_a_row_tells_so_many_problems_and_no_more() -> None:
    names = ["user_id", *(f"attribute.a{number}:number" for number in range(MOST_COLUMNS - 1))]
    _, problems = RowReader(read_columns(names), ",").read([Record(2, ",".join(["ada", *["x"] * (MOST_COLUMNS - 1)]))])
    assert len(problems) == CODE_LIMIT


def test_consent_is_not_told_by_halves() -> None:
    reader = RowReader(read_columns(["user_id", "consent.marketing.email.at"]), ",")
    _, [problem] = reader.read([Record(2, "ada,2026-01-01T00:00:00Z")])
    assert problem.code == "consent_unknown"


@pytest.mark.parametrize(
    "name",
    [
        "plan",
        "a:number",
        "a:b",
        "x.y",
        "text",
        "",
        " a ",
        "a\nb",
        '"a"',
        '"',
        "\\",
        "x" * 65,
        "\x85",
        "\u2028",
        ":number",
        "é,;",
    ],
)
@pytest.mark.parametrize("kind", ["text", "number", "json"])
def test_a_column_is_found_by_the_name_it_was_given(name: str, kind: str) -> None:
    column = Column.called(attribute_column(name, kind))
    assert column is not None
    assert column.of == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "phone",
        "attribute.",
        "consent.marketing.pigeon",
        "consent.security.email",
        "x",
        'attribute."',
        'attribute."a"b',
    ],
)
def test_other_columns_are_none(name: str) -> None:
    assert Column.called(name) is None


async def test_a_file_of_bad_rows_takes_the_good_ones(desk: FileDesk) -> None:
    wide = "y" * 70_000
    text = (
        "user_id,email,attribute.note\n"
        "ada,ada@shop.de,\"=cmd|' /C calc'!A0\"\n"
        "b\0b,b@shop.de,x\n"
        f"carl,c@shop.de,{wide}\n"
        "dora,d@shop.de\n"
        'emil,e@shop.de,"open\n'
        "fred,f@shop.de,fine\n"
        "gina,no address,x\n"
        f"hugo,h@shop.de,{'z' * 20_000}\n"
    )
    job, counts = await desk.bring(text)
    assert counts == {"created": 2, "rejected": 6}
    assert await desk.told(job) == [
        (3, "user_id", "invalid_characters"),
        (4, None, "record_too_long"),
        (5, None, "ragged_row"),
        (6, None, "unclosed_quote"),
        (8, "email", "invalid_recipient"),
        (9, None, "attributes_too_large"),
    ]
    assert sorted(await desk.contacts()) == ["ada", "fred"]
