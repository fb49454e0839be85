"""From the cells of a row to a message: the number checked, the text filled in and measured, or the reason why not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import starmap

import msgspec

from modembank.mailings.model import MAX_WRITTEN, Layout, Row
from modembank.mailings.seen_numbers import SeenNumbers
from modembank.mailings.tables import Cells
from modembank.mailings.templates import Fill, compile_template
from modembank.messages.numbers import BadNumber, is_settled, normalise_recipient
from modembank.messages.text import TextProblem, is_plain, measure, replaced
from modembank.tpdu import Encoding, SegmentCount

MAX_REFERENCE = 255
MOST_FORCED = 20
"""Characters that are named for one row."""
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+")
_ROUNDED = re.compile(r"[0-9]+[.,]0+")
_GUARDED = re.compile(r"'[=+\-@\t\r\0']")


class Recipients:
    """Makes rows of one file; knows which numbers came before."""

    def __init__(self, layout: Layout, *, offers: bool = False, refusal: Callable[[str], str] | None = None) -> None:
        """Read as the layout says; with ``offers``, tell what could be replaced; ``refusal`` knows the box's rules."""
        self._offers = offers
        self._refusal = refusal
        self._layout = layout
        self._fill = _filler(layout)
        self._encoding = Encoding(layout.encoding)
        self._plain = self._encoding is not Encoding.UCS2
        self._seen = SeenNumbers()

    def rows(self, cells: Iterable[Cells]) -> Iterator[Row]:
        """Return what each row is."""
        return starmap(self.row, cells)

    def row(self, line: int, cells: Sequence[str]) -> Row:
        """Return what one row is."""
        layout = self._layout
        kept = cells[layout.to_column].strip()[:MAX_WRITTEN] if layout.to_column < len(cells) else ""
        cells = [unguarded(cell) if cell[:1] == "'" else cell for cell in cells]
        written = cells[layout.to_column].strip() if layout.to_column < len(cells) else ""
        try:
            number = written if is_settled(written) else self._number(written)
            text = self._fill(cells)
            count = None
            if not (self._plain and is_plain(text)):  # most are: one segment, and nothing to replace
                if layout.replace:
                    text = replaced(text, self._encoding)
                count = measure(text, self._encoding, layout.max_segments)
            reference = None if layout.reference_column is None else self._reference(cells)
        except (BadNumber, TextProblem) as error:
            what = "the text " if isinstance(error, TextProblem) else ""
            return _refused(line, kept, f"{what}{error}"[:500])
        first = self._seen.first(number, line)
        if first != line and not layout.allow_duplicates:
            return _refused(line, kept, f"is the same number as in line {first}", number, duplicate=True)
        if self._refusal is not None and (reason := self._refusal(number)):
            return _refused(line, kept, reason, number)
        if count is None:
            return Row(number, text, "gsm7", 1, reference, line, kept)
        row = Row(number, text, count.encoding.value, count.segments, reference, line, kept)
        return self._with_offer(row, count) if self._offers and count.forced_by else row

    def _with_offer(self, row: Row, count: SegmentCount) -> Row:
        shorter = replaced(row.text, self._encoding)
        plain = 0 if shorter in (row.text, "") else measure(shorter, self._encoding).segments
        return msgspec.structs.replace(row, forced_by=count.forced_by[:MOST_FORCED], plain_segments=plain)

    def _number(self, written: str) -> str:
        if _SCIENTIFIC.fullmatch(written):
            why = (
                f"was turned into {written[:30]} by a spreadsheet, and its last digits are lost: format the column as "
                "text there, enter the number again and export the file again"
            )
            raise BadNumber(why=why)
        if _ROUNDED.fullmatch(written):
            written = re.split("[.,]", written)[0]
        try:
            return normalise_recipient(written, self._layout.region)
        except BadNumber as error:
            if self._layout.kind == "xlsx" and written.isascii() and written.isdigit():
                why = f"{error}; a spreadsheet drops the + or the first 0 of what it takes for a number"
                raise BadNumber(why=f"{why}: format the column as text") from error
            raise

    def _reference(self, cells: Sequence[str]) -> str | None:
        column = self._layout.reference_column
        if column is None or column >= len(cells) or not cells[column].strip():
            return None
        reference = cells[column].strip()
        if len(reference) > MAX_REFERENCE or not reference.isprintable():
            raise BadNumber(why=f"the reference must have at most {MAX_REFERENCE} characters, all of them printable")
        return reference


def unguarded(cell: str) -> str:
    """Return a cell without the apostrophe that keeps spreadsheets from taking it for a formula; one, and no other."""
    return cell[1:] if cell.startswith("'") and (_GUARDED.match(cell) or cell[1:2].isdigit()) else cell


def _filler(layout: Layout) -> Fill:
    if layout.template is not None:
        return compile_template(layout.template, layout.columns)
    column = layout.text_column or 0
    return lambda cells: cells[column] if column < len(cells) else ""


def _refused(line: int, written: str, reason: str, number: str = "", *, duplicate: bool = False) -> Row:
    return Row(number, "", "", 0, None, line, written, reason, duplicate)
