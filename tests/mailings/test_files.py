"""Files as they come: read in the process that does it, well-made ones and hostile ones."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.workbooks import sheet_of, write_workbook
from modembank.mailings import tables
from modembank.mailings.model import Ask, End, Looked, Order, Piece, Row, Said, Trouble
from modembank.mailings.reader import carried_out
from modembank.mailings.recipients import unguarded
from modembank.mailings.results import guarded
from modembank.mailings.tables import MAX_LINE, BadFile, cell_text, check_wrapping, sniff_delimiter

ANN, BOB = "+447900900123", "+447900900124"


def look(path: Path, **ask: object) -> Looked:
    """Return what a first look finds; fails when it finds trouble."""
    said = list(carried_out(Order(path=str(path), ask=Ask(**{"template": "Hi {1}", **ask}))))  # type: ignore[arg-type]
    assert isinstance(said[0], Looked), said
    return said[0]


def trouble(path: Path, **ask: object) -> dict[str, str]:
    """Return what is wrong, by field."""
    said = list(carried_out(Order(path=str(path), ask=Ask(**{"template": "Hi {1}", **ask}))))  # type: ignore[arg-type]
    assert all(isinstance(one, Trouble) for one in said), said
    return {one.pointer: one.detail for one in said if isinstance(one, Trouble)}


def read(path: Path, **ask: object) -> list[Row]:
    """Return all rows."""
    *pieces, end = carried_out(Order(path=str(path), layout=look(path, **ask).layout))
    rows = rows_of(pieces)
    assert end == End(len(rows)), end
    return rows


def rows_of(pieces: list[Said]) -> list[Row]:
    """Return the rows of pieces in the order of the file."""
    rows = [row for piece in pieces if isinstance(piece, Piece) for row in (*piece.good_rows(), *piece.refused)]
    return sorted(rows, key=lambda row: row.line)


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t|"),
    charset=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
)
def test_every_table_is_read_as_it_was_written(
    tmp_path: Path, rows: list[list[str]], delimiter: str, charset: str
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    path = write(tmp_path, out.getvalue().encode(charset))
    found = [cells for _, cells in tables.csv_rows(path, charset, delimiter)]
    assert found == rows


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    names=st.lists(st.text(st.sampled_from("abc äß'"), max_size=5), min_size=2, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    charset=st.sampled_from(["utf-8", "utf-16", "cp1252"]),
    header=st.booleans(),
)
def test_a_list_of_people_is_understood_without_a_word(
    tmp_path: Path, names: list[str], delimiter: str, quoting: int, charset: str, header: bool
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    if header:
        writer.writerow(["first name", "telephone", "town"])
    for at, name in enumerate(names):
        writer.writerow([name, f"+4479009001{at:02d}", "Köln"])
    path = write(tmp_path, out.getvalue().encode(charset))
    rows = read(path, template="{1}{3}")
    assert [(row.number, row.text) for row in rows] == [
        (f"+4479009001{at:02d}", f"{unguarded(name)}Köln") for at, name in enumerate(names)
    ]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(octets=st.binary(max_size=300) | st.text(st.sampled_from('",;\n\r+4790\0x'), max_size=60).map(str.encode))
def test_whatever_comes_gives_rows_or_a_reason(tmp_path: Path, octets: bytes) -> None:
    path = write(tmp_path, octets)
    said = list(carried_out(Order(path=str(path), ask=Ask(template="x"))))
    assert said
    if isinstance(said[0], Looked):
        said = list(carried_out(Order(path=str(path), layout=said[0].layout)))
        assert isinstance(said[-1], End | Trouble)


@given(cell=st.text(max_size=8) | st.sampled_from(["=1", "+44", "-x", "@a", "\tx", "'=1", "''", "'", "\0", "\r"]))
def test_s12_a_guarded_cell_is_no_formula_and_comes_back_as_it_was(cell: str) -> None:
    safe = guarded(cell)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\0"))
    assert (safe[1:] if safe != cell else safe) == cell
    if cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\0"}:
        assert unguarded(safe) == cell


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("\n\n \n", "is empty: it has no row"),
        ("name,phone\n", "has a header and no row behind it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is an Excel file with a password, or of the old kind"),
        (b"%PDF-1.7\n1 0 obj", "is a PDF document"),
        (b"\x1f\x8b\x08\0\0\0", "is compressed"),
        (b"PK\x03\x04" + bytes(100), "is no workbook: its ZIP file is damaged"),
        ("a," * 300 + "\n" + ANN, "has 301 columns in line 1: at most 200 are read"),
    ],
)
def test_s13_files_that_are_refused_whole(tmp_path: Path, text: str | bytes, why: str) -> None:
    assert trouble(write(tmp_path, text))["/file"].startswith(why)


def test_s13_names_of_columns_are_bounded(tmp_path: Path) -> None:
    path = write(tmp_path, f"phone,{'x' * 501}\n{ANN},a\n")
    assert trouble(path, header="yes")["/file"].startswith("has a column whose name is longer than 500 characters")
    assert look(path, template="{2}").layout.columns == ("1", "2")


def test_s13_one_quoted_field_without_end_is_read_no_further_than_it_must(tmp_path: Path) -> None:
    one_line = write(tmp_path, f'phone,x\n{ANN},"' + "a" * (MAX_LINE * 3))
    assert "quotation mark" in trouble(one_line)["/file"]
    many_lines = write(tmp_path, f'phone,x\n{ANN},"' + "aaaaaaaaa\n" * 20_000)
    assert "has a cell of more than 65536 characters in line 2" in trouble(many_lines)["/file"]


def test_s13_nuls_are_no_text_and_no_number(tmp_path: Path) -> None:
    rows = read(write(tmp_path, f"name,phone\nA\0n,{ANN}\nBob,+4479\0009001\nCid,{BOB}\n"))
    assert [bool(row.reason) for row in rows] == [True, True, False]
    assert "control character U+0000" in rows[0].reason


@pytest.mark.parametrize(
    ("ask", "pointer", "why"),
    [
        ({"to_column": "mobile"}, "/to_column", "'mobile' is no column (or several); known are: name, phone, note"),
        ({"text_column": "7", "template": None}, "/text_column", "'7' is no column"),
        ({"reference_column": "x"}, "/reference_column", "'x' is no column"),
        ({"template": "{x}"}, "/template", "{x} is no column; known are: name, phone, note"),
        ({"charset": "klingon"}, "/charset", "'klingon' is no character set"),
        ({"charset": "ascii"}, "/file", "is not text in the character set ascii"),
    ],
)
def test_what_does_not_fit_the_file_names_its_field(
    tmp_path: Path, ask: dict[str, object], pointer: str, why: str
) -> None:
    found = trouble(write(tmp_path, f"name,phone,note\nAnn,{ANN},ä\n"), **ask)
    assert found[pointer].startswith(why)


def test_a_column_of_numbers_must_be_told_when_there_are_two_or_none(tmp_path: Path) -> None:
    two = write(tmp_path, f"home,work\n{ANN},{BOB}\n")
    assert trouble(two)["/to_column"].startswith("is needed: several columns could hold the numbers; columns are: home")
    assert look(two, to_column="2").layout.to_column == 1
    none = write(tmp_path, "a,b\nx,y\n")
    assert "no column holds telephone numbers" in trouble(none)["/to_column"]
    named = write(tmp_path, f"id,Handynummer\n447900900125,{BOB}\n")
    assert look(named).layout.to_column == 1


def test_headers_are_found_or_told(tmp_path: Path) -> None:
    plain = write(tmp_path, f"{ANN},Ann\n{BOB},Bob\n")
    assert look(plain).layout.columns == ("1", "2")
    assert len(read(plain)) == 2
    assert len(read(plain, header="yes")) == 1
    odd = write(tmp_path, f"phone,phone\n{ANN},x\n")
    assert look(odd, to_column="1").layout.header_rows == 0
    assert look(odd, to_column="1", header="yes").layout.header_rows == 1


def test_what_spreadsheets_do_to_numbers_is_said(tmp_path: Path) -> None:
    rows = read(
        write(tmp_path, f"phone,x\n4.479E+11,\n\"4,479E+11\",\n'{ANN},\n''{BOB},\n447900900125.0,\n07900900126,\n")
    )
    assert rows[0].reason.startswith("was turned into 4.479E+11 by a spreadsheet, and its last digits are lost")
    assert rows[1].reason.startswith("was turned into 4,479E+11")
    assert (rows[2].number, rows[2].reason) == (ANN, "")
    assert rows[3].reason
    assert rows[5].reason
    british = read(write(tmp_path, "phone,x\n447900900125.0,\n07900900126,\n"), region="GB")
    assert [row.number for row in british] == ["+447900900125", "+447900900126"]


def test_duplicates_are_noted_with_the_line_they_repeat(tmp_path: Path) -> None:
    path = write(tmp_path, f"phone,x\n{ANN},1\n{BOB},2\n+44 7900 900123,3\n")
    rows = read(path)
    assert (rows[2].duplicate, rows[2].reason) == (True, "is the same number as in line 2")
    assert not any(row.reason for row in read(path, allow_duplicates=True))


def test_lines_are_those_of_the_file_even_when_cells_have_several(tmp_path: Path) -> None:
    rows = read(write(tmp_path, f'phone,x\n{ANN},"a\nb"\n\n{BOB},c\n'), template="{x}")
    assert [(row.line, row.text) for row in rows] == [(2, "a\nb"), (5, "c")]


def test_an_import_goes_on_behind_any_row(tmp_path: Path) -> None:
    path = write(tmp_path, "phone,x\n" + "".join(f"+44790090{at % 7:04d},{at}\n" for at in range(12)))
    layout, whole = look(path).layout, read(path)
    for skip in range(13):
        *rest, end = carried_out(Order(path=str(path), layout=layout, skip=skip))
        assert (rows_of(rest), end) == (whole[skip:], End(12))


def test_a_workbook_is_read(tmp_path: Path) -> None:
    table = [
        ["name", "phone"],
        ["Ann", ANN],
        ["Bob", 447900900124],
        [None, None],
        ["=Cid", "'+447900900125"],
        ["D", 4.5],
    ]
    path = write_workbook(tmp_path / "file.csv", table)  # the name lies, the content counts
    rows = read(path, template="{name}", region="GB")
    assert [(row.line, row.number, row.text) for row in rows[:3]] == [
        (2, ANN, "Ann"), (3, BOB, "Bob"), (5, "+447900900125", "Cid")
    ]  # fmt: skip
    assert rows[3].reason
    assert read(path, sheet="People", region="GB")
    assert trouble(path, sheet="Nobody")["/file"] == "has no sheet 'Nobody'; it has: People"
    lost = read(path, template="{name}")[1]
    assert "a spreadsheet drops the + or the first 0" in lost.reason


def test_cells_of_workbooks_as_text() -> None:
    assert [cell_text(value) for value in (447900900124.0, 0.5, True, None, "x", 1e20)] == [
        "447900900124", "0.5", "true", "", "x", "1e+20"
    ]  # fmt: skip


ROW = f'<row><c t="inlineStr"><is><t>{ANN}</t></is></c></row>'


def test_s13_workbooks_that_are_bombs_or_have_macros_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    big = bytes(101_000_000)
    for more, why in [
        ({"xl/vbaProject.bin": b"x"}, "has macros"),
        ({"xl/sharedStrings.xml": big}, "octets when it is unpacked"),
        ({"xl/media/a.bin": bytes(2_000_000)}, "more than a hundred times as large"),
        ({f"xl/media/{at}": b"x" for at in range(200)}, "has 205 parts"),
        ({"EncryptedPackage": b"x"}, "is encrypted"),
    ]:
        path = write_workbook(tmp_path / "bomb.xlsx", [[ANN]], more=more)
        with pytest.raises(BadFile, match=why):
            check_wrapping(path)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("readme.txt", "x")
    with pytest.raises(BadFile, match="is a ZIP file and no workbook"):
        check_wrapping(tmp_path / "other.zip")


def test_s13_a_directory_that_lies_about_sizes_is_found_out(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "liar.xlsx", sheet=sheet_of([[ANN, "x" * 5_000]]))
    octets = bytearray(path.read_bytes())
    entry = octets.rindex(b"PK\x01\x02", 0, octets.rindex(b"xl/worksheets/sheet1.xml"))
    octets[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    path.write_bytes(octets)
    with pytest.raises(BadFile, match="is no workbook"):
        check_wrapping(path)


def test_the_delimiter_is_what_makes_a_table(tmp_path: Path) -> None:
    path = write(tmp_path, f'a;b\n"Doe, John";{ANN}\n"Roe, Jane";{BOB}\n')
    assert sniff_delimiter(path, "utf-8") == ";"
