"""Opt-outs as CSV: written for machines or for spreadsheets, read from either."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from modembank.errors import FieldProblem, InvalidRequest
from modembank.optouts.views import OptOutView

COLUMNS = ("number", "state", "changed_at", "source", "keyword", "message", "note", "by")
MOST_ROWS = 100_000
MOST_CELL = 1_000
Form = Literal["machine", "spreadsheet"]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
_BOM = "\ufeff"


def write_csv(rows: Iterable[OptOutView], form: Form, *, begins: bool = True) -> bytes:
    """Return the rows as CSV (RFC 4180, UTF-8); ``begins``: with the names of the columns above them.

    A spreadsheet takes a cell that begins with ``+`` or ``=`` for a formula: in that form such a cell begins with an
    apostrophe (OWASP ASVS 5.0, 1.2.10), and a byte order mark tells the encoding.
    """
    guard = form == "spreadsheet"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if begins:
        text.write(_BOM if guard else "")
        writer.writerow(COLUMNS)
    for row in rows:
        cells = [getattr(row, name) or "" for name in COLUMNS]
        writer.writerow([f"'{cell}" if guard and cell.startswith(_FORMULA) else cell for cell in cells])
    return text.getvalue().encode()


def read_csv(body: bytes) -> Iterator[tuple[int, str, str, bool]]:
    """Yield (line, number, note, whether it says ``in``) of each row that holds something.

    The first line may name the columns; without names, the first is the number and the second the note. Raises
    InvalidRequest.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise InvalidRequest(FieldProblem(f"/lines/{line}", f"line {line} is not UTF-8 text")) from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        yield from _rows(reader)
    except csv.Error as error:
        line = reader.line_num
        raise InvalidRequest(FieldProblem(f"/lines/{line}", f"line {line} is no CSV: {error}")) from error


def _rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, str, str, bool]]:
    places: dict[str, int] | None = None
    count = 0
    for cells in reader:
        line: int = reader.line_num  # type: ignore[attr-defined]  # of a csv reader
        if not any(cell.strip() for cell in cells):
            continue
        if places is None:
            places = _places(cells)
            if places is not None:
                continue
            places = {"number": 0, "note": 1}
        count += 1
        if count > MOST_ROWS:
            raise InvalidRequest(FieldProblem(f"/lines/{line}", f"more than {MOST_ROWS} rows: divide the file"))
        number, note, state = (_cell(cells, places.get(name)) for name in ("number", "note", "state"))
        yield line, number, note, state.lower() == "in"


def _places(cells: Sequence[str]) -> dict[str, int] | None:
    """Return where the columns stand, when the first line names them."""
    names = [cell.strip().lower() for cell in cells]
    return {name: names.index(name) for name in COLUMNS if name in names} if "number" in names else None


def _cell(cells: Sequence[str], place: int | None) -> str:
    """Return a cell without the apostrophe that spreadsheets are given."""
    text = cells[place].strip() if place is not None and place < len(cells) else ""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _delimiter(text: str) -> str:
    """Return what separates cells: spreadsheets of many countries write semicolons."""
    first = text.partition("\n")[0]
    return max((",", ";", "\t"), key=lambda one: (first.count(one), one == ","))


csv.field_size_limit(min(sys.maxsize, 131_072))
