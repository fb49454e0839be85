"""Files as rows of cells: CSV read line by line, XLSX after its wrapping was checked. Runs in a process of its own."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import TextIO

from modembank.errors import ModembankError
from modembank.mailings.model import MAX_CELL, MAX_COLUMNS

MAX_LINE = 262_144
"""Characters of one line of a CSV file."""
DELIMITERS = (",", ";", "\t", "|")
SNIFFED_ROWS = 50
MAX_ENTRIES = 200
MAX_SHEETS = 50
"""Names of sheets that are shown."""
MAX_INFLATED = 100_000_000
"""Octets of all parts of a workbook."""
MAX_RATIO = 100
_BLOCK = 1 << 20
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_OTHERS = {b"%PDF": "a PDF document", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"\x1f\x8b": "compressed"}

Cells = tuple[int, list[str]]
"""The number of the line on which a row begins, and its cells."""


class BadFile(ModembankError):
    """The file cannot be read; the text is the sentence to show, without its subject."""

    key = "unreadable_file"
    template = "{why}"


def kind_of(path: Path) -> str:
    """Return ``csv`` or ``xlsx`` by the file's first octets, whatever it is called; raises BadFile."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise BadFile(why="is empty")
    if head.startswith(_OLE):
        raise BadFile(
            why="is an Excel file with a password, or of the old kind (.xls): save it as .xlsx without a password"
        )
    if head.startswith(_ZIP):
        return "xlsx"
    for mark, what in _OTHERS.items():
        if head.startswith(mark):
            raise BadFile(why=f"is {what}: a CSV or XLSX file is wanted")
    return "csv"


def csv_rows(path: Path, charset: str, delimiter: str) -> Iterator[Cells]:
    """Return the rows of a CSV file; lines and cells are bounded, whatever the quotes say. Raises BadFile."""
    csv.field_size_limit(MAX_CELL)
    with path.open("r", encoding=charset, errors="strict", newline="") as file:
        reader = csv.reader(_lines(file), delimiter=delimiter)
        begins = 1
        try:
            for cells in reader:
                if len(cells) > MAX_COLUMNS:
                    raise BadFile(why=f"has {len(cells)} columns in line {begins}: at most {MAX_COLUMNS} are read")
                yield begins, cells
                begins = reader.line_num + 1
        except csv.Error as error:
            raise BadFile(why=_csv_words(str(error), begins)) from error
        except UnicodeDecodeError as error:
            where = f"after line {begins - 1}" if begins > 1 else "near its beginning"
            raise BadFile(why=f"is not text in the character set {charset} {where}: name its charset") from error


def sniff_delimiter(path: Path, charset: str) -> str:
    """Return what parts the columns: what parts the first rows into the same number of columns, the more the better."""
    best, chosen = (0.0, 0), DELIMITERS[0]
    for delimiter in DELIMITERS:
        try:
            widths = [len(cells) for _, cells in islice(csv_rows(path, charset, delimiter), SNIFFED_ROWS) if any(cells)]
        except BadFile:
            continue
        width, times = Counter(widths).most_common(1)[0] if widths else (0, 0)
        score = (times / len(widths) if width > 1 else 0.0), width
        if width > 1 and score > best:
            best, chosen = score, delimiter
    return chosen


def xlsx_rows(path: Path, sheet: str) -> Iterator[Cells]:
    """Return the rows of a sheet (the first, when unnamed); what a formula gave last is its value. Raises BadFile."""
    check_wrapping(path)
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError  # costs time, and only here

    try:
        book = CalamineWorkbook.from_path(path)
        if sheet and sheet not in book.sheet_names:
            raise BadFile(why=f"has no sheet {sheet[:80]!a}; it has: {', '.join(book.sheet_names[:20])}")
        if not book.sheet_names:
            raise BadFile(why="has no sheet")
        table = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
        if table.width > MAX_COLUMNS:
            raise BadFile(why=f"has {table.width} columns: at most {MAX_COLUMNS} are read")
        for line, values in enumerate(table.iter_rows(), 1):
            yield line, [cell_text(value) for value in values]
    except PasswordError as error:
        raise BadFile(why="is protected with a password: save it without") from error
    except CalamineError as error:
        raise BadFile(why=f"is no workbook that can be read: {str(error)[:200]}") from error


def sheet_names(path: Path) -> tuple[str, ...]:
    """Return the names of a workbook's sheets, whose wrapping was checked; raises BadFile."""
    from python_calamine import CalamineError, CalamineWorkbook  # costs time, and only here

    try:
        return tuple(name[:200] for name in CalamineWorkbook.from_path(path).sheet_names[:MAX_SHEETS])
    except CalamineError as error:
        raise BadFile(why=f"is no workbook that can be read: {str(error)[:200]}") from error


def check_wrapping(path: Path) -> None:
    """Raise BadFile unless a workbook is of bounded size, and says the truth about that, and has no macros."""
    try:
        with zipfile.ZipFile(path) as wrapping:
            entries = wrapping.infolist()
            _check_entries(entries)
            left = MAX_INFLATED
            for entry in entries:  # what stands in the directory may be a lie
                left -= _inflated(wrapping, entry, left)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise BadFile(why=f"is no workbook: its ZIP file is damaged ({str(error)[:100]})") from error


def cell_text(value: object) -> str:
    """Return a cell of a workbook as text: whole numbers without a fraction, times as ISO 8601 writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes" if not value.second else "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return "" if value is None else str(value)


def _lines(file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise BadFile(why=f"has more than {MAX_LINE} characters in line {number}: is a quotation mark missing?")
        yield line


def _csv_words(error: str, line: int) -> str:
    if "field larger" in error:
        return f"has a cell of more than {MAX_CELL} characters in line {line}: is a quotation mark missing?"
    return f"cannot be read in line {line}: {error[:100]}"


def _check_entries(entries: Iterable[zipfile.ZipInfo]) -> None:
    listed = list(entries)
    names = {entry.filename.lower() for entry in listed}
    if len(listed) > MAX_ENTRIES:
        raise BadFile(why=f"has {len(listed)} parts: a workbook has no more than {MAX_ENTRIES}")
    if "encryptedpackage" in names or any(entry.flag_bits & 1 for entry in listed):
        raise BadFile(why="is encrypted: save it without a password")
    if "[content_types].xml" not in names or not any(name.startswith("xl/workbook") for name in names):
        raise BadFile(why="is a ZIP file and no workbook: a CSV or XLSX file is wanted")
    if any(name.endswith("vbaproject.bin") for name in names):
        raise BadFile(why="has macros: save it as .xlsx, without them")
    size = sum(entry.file_size for entry in listed)
    if size > MAX_INFLATED:
        raise BadFile(why=f"has {size} octets when it is unpacked: at most {MAX_INFLATED} are read")
    for entry in listed:
        if entry.file_size > _BLOCK and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise BadFile(
                why="has a part that is more than a hundred times as large when it is unpacked: it is refused"
            )


def _inflated(wrapping: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> int:
    size = 0
    with wrapping.open(entry) as part:
        while block := part.read(_BLOCK):
            size += len(block)
            if size > most:
                raise BadFile(why=f"has more than {MAX_INFLATED} octets when it is unpacked")
    return size
