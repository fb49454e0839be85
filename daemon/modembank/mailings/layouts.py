"""Finding out how a file is to be read: its header, its columns, and which of them holds the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.mailings import charsets, tables
from modembank.mailings.model import Ask, Layout, Table
from modembank.mailings.tables import BadFile, Cells
from modembank.mailings.templates import BadTemplate, compile_template, find_column, named
from modembank.messages.numbers import BadNumber, normalise_recipient

MAX_NAME = 500
"""Characters of the name of a column."""
LOOKED_AT = 20
"""Rows from which columns are guessed."""
_NUMBER_WORDS = re.compile(
    r"to|recipients?|(mobile|cell|phone|tele?phone|tel|contact|gsm|sms|msisdn)[ _.-]*(phone|number|no\.?|nr\.?)?|"
    r"numbers?|nummer|(ruf|handy|telefon|mobil|tel|mobilfunk)[ _.-]?(nummer|nr\.?)?|handy|mobil|mobiel|portable|"
    r"num[eé]ro( de t[eé]l[eé]phone)?|t[eé]l([eé]phone)?|tel[eé]fono|m[oó]vil|celular|cellulare|telefone|telem[oó]vel|"
    r"telefon[ií]? ?[cč]?[ií]?slo|telefon|empf[aä]nger|destinataire|destinatario|number"
)
_TEXT_WORDS = re.compile(
    r"(sms|message|mobile)?[ _.-]*(text|message|body)|nachricht|mitteilung|mensaje|texto|messaggio|testo"
)
_LIKE_NUMBER = re.compile(r"'?\+?[0-9][0-9 ()./-]{4,24}")


CELLS_SHOWN = 30_000
"""Characters of one row of a table, all cells together."""


class Opened(msgspec.Struct, frozen=True):
    """What the beginning of a file shows."""

    kind: Literal["csv", "xlsx"]
    charset: str
    delimiter: str
    header: bool
    columns: tuple[str, ...]
    body: list[Cells]


def opened(path: Path, ask: Ask) -> Opened:
    """Return the first rows of a file, and how they are read; raises BadFile, InvalidRequest."""
    kind = tables.kind_of(path)
    charset = delimiter = ""
    if kind == "csv":
        charset = ask.charset or charsets.detect(path)
        if not charsets.known_charset(charset):
            raise InvalidRequest(FieldProblem("/charset", f"{charset[:40]!a} is no character set that is known"))
        delimiter = ask.delimiter or tables.sniff_delimiter(path, charset)
    first = list(islice(_filled(path, kind, charset, delimiter, ask.sheet or ""), LOOKED_AT + 1))
    if not first:
        raise BadFile(why="is empty: it has no row")
    header = _has_header(first, ask)
    width = max(len(cells) for _, cells in first)
    names = tuple(cell.strip() for cell in first[0][1]) if header else ()
    if any(len(name) > MAX_NAME for name in names):
        raise BadFile(why=f"has a column whose name is longer than {MAX_NAME} characters: is the first row a header?")
    columns = (*names, *(str(number) for number in range(len(names) + 1, width + 1)))
    body = first[1:] if header else first
    if not body:
        raise BadFile(why="has a header and no row behind it")
    return Opened("csv" if kind == "csv" else "xlsx", charset, delimiter, header, columns, body)


def tabulate(path: Path, ask: Ask, sample: int) -> Table:
    """Return the first rows as they are shown, and what the columns seem to hold; raises BadFile, InvalidRequest."""
    found = opened(path, ask)
    try:
        numbers = _Columns(found.columns, found.body, ask.region).numbers(None, named_columns=found.header)
    except InvalidRequest:
        numbers = None
    texts = [at for at, name in enumerate(found.columns) if _TEXT_WORDS.fullmatch(name.strip().casefold())]
    each = CELLS_SHOWN // max(len(found.columns), 1)
    return Table(
        kind=found.kind,
        charset=found.charset,
        delimiter=found.delimiter,
        sheets=tables.sheet_names(path) if found.kind == "xlsx" else (),
        sheet=ask.sheet or "",
        header=found.header,
        columns=found.columns,
        rows=tuple((line, tuple(cell[:each] for cell in cells)) for line, cells in found.body[:sample]),
        to_column=numbers,
        text_column=texts[0] if found.header and len(texts) == 1 else None,
    )


def lay_out(path: Path, ask: Ask) -> tuple[Layout, list[Cells]]:
    """Return how a file is read, and its first rows behind the header; raises BadFile, InvalidRequest."""
    found = opened(path, ask)
    return laid_out(found, ask), found.body


def laid_out(found: Opened, ask: Ask) -> Layout:
    """Return how what was opened is read; raises InvalidRequest naming the fields that do not fit it."""
    columns = found.columns
    chosen = _Columns(columns, found.body, ask.region)
    layout = Layout(
        kind=found.kind,
        columns=columns,
        to_column=chosen.numbers(ask.to_column, named_columns=found.header),
        header_rows=1 if found.header else 0,
        template=ask.template,
        text_column=chosen.named("/text_column", ask.text_column),
        reference_column=chosen.named("/reference_column", ask.reference_column),
        charset=found.charset,
        delimiter=found.delimiter,
        sheet=ask.sheet or "",
        encoding=ask.encoding,
        max_segments=ask.max_segments,
        region=ask.region,
        allow_duplicates=ask.allow_duplicates,
        replace=ask.replace,
    )
    if ask.template is not None:
        try:
            compile_template(ask.template, columns)
        except BadTemplate as error:
            raise InvalidRequest(FieldProblem("/template", str(error))) from error
    return layout


def rows_of(path: Path, layout: Layout) -> Iterator[Cells]:
    """Return the rows behind the header that are not empty; raises BadFile."""
    return islice(_filled(path, layout.kind, layout.charset, layout.delimiter, layout.sheet), layout.header_rows, None)


def looks_like_number(cell: str) -> bool:
    """Return whether a cell could be a telephone number, by its look."""
    return _LIKE_NUMBER.fullmatch(cell.strip()) is not None


class _Columns:
    """Finds columns by what the client calls them, or by what they hold."""

    def __init__(self, columns: Sequence[str], body: Sequence[Cells], region: str) -> None:
        self._columns = columns
        self._body = body
        self._region = region

    def named(self, pointer: str, name: str | None) -> int | None:
        """Return the column of a name or number from 1; raises InvalidRequest naming those there are."""
        if name is None:
            return None
        found = find_column(name, self._columns)
        if found is None:
            what = f"{name[:80]!a} is no column (or several); known are: {named(self._columns)}"
            raise InvalidRequest(FieldProblem(pointer, what))
        return found

    def numbers(self, name: str | None, *, named_columns: bool) -> int:
        """Return the column of the numbers: the one that is asked for, is called so, or holds most numbers."""
        if name is not None:
            found = self.named("/to_column", name)
            return 0 if found is None else found
        if named_columns:
            called = [
                at for at, column in enumerate(self._columns) if _NUMBER_WORDS.fullmatch(column.strip().casefold())
            ]
            if len(called) == 1:
                return called[0]
        holding = {at: self._valid(at) for at in range(len(self._columns))}
        most = max(holding.values())
        best = [at for at, count in holding.items() if count == most]
        if most and len(best) == 1:
            return best[0]
        why = "several columns could hold the numbers" if most else "no column holds telephone numbers"
        raise InvalidRequest(FieldProblem("/to_column", f"is needed: {why}; columns are: {named(self._columns)}"))

    def _valid(self, column: int) -> int:
        count = 0
        for _, cells in self._body:
            if column < len(cells) and looks_like_number(cells[column]):
                try:
                    normalise_recipient(cells[column].strip().removeprefix("'"), self._region)
                except BadNumber:
                    continue
                count += 1
        return count


def _filled(path: Path, kind: str, charset: str, delimiter: str, sheet: str) -> Iterator[Cells]:
    rows = tables.csv_rows(path, charset, delimiter) if kind == "csv" else tables.xlsx_rows(path, sheet)
    return (row for row in rows if any(map(str.strip, row[1])))


def _has_header(first: Sequence[Cells], ask: Ask) -> bool:
    """A header has no number in it, and its cells are names: none is empty, none comes twice."""
    if ask.header != "auto":
        return ask.header == "yes"
    cells = [cell.strip().casefold() for cell in first[0][1]]
    if any(len(cell) > MAX_NAME for cell in cells):
        return False
    if any(looks_like_number(cell) for cell in cells):
        return False
    while cells and not cells[-1]:
        cells.pop()
    return bool(cells) and all(cells) and len(set(cells)) == len(cells)
