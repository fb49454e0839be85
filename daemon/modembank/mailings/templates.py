"""Templates: a text with the names of columns in braces, filled in once for each row.

The language is closed: ``{column}`` is the row's cell, ``{{`` and ``}}`` are braces, and there is nothing else. What a
cell holds is never looked at again, so that braces in it stay braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter

from modembank.errors import ModembankError

MAX_TEMPLATE = 40_000
"""Characters."""
_SHOWN = 20
_PIECE = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")

Fill = Callable[[Sequence[str]], str]


class BadTemplate(ModembankError):
    """The template cannot be filled in; the text is the sentence to show, without its subject."""

    key = "invalid_payload"
    template = "{why}"


def compile_template(template: str, columns: Sequence[str]) -> Fill:
    """Return what fills the template in with the cells of a row, in the order of ``columns``.

    A column is meant by its name, with capitals and spaces around it as they come, or by its number from 1. A row that
    is too short has empty cells at its end. Raises BadTemplate.
    """
    if len(template) > MAX_TEMPLATE:
        raise BadTemplate(why=f"has {len(template)} characters: at most {MAX_TEMPLATE} are allowed")
    texts: list[str] = [""]
    cells: list[int] = []
    at = 0
    for found in _PIECE.finditer(template):
        texts[-1] += template[at : found.start()]
        at = found.end()
        if (piece := found.group()) in {"{{", "}}"}:
            texts[-1] += piece[0]
        elif found["name"] is None:
            what = "is opened and not closed" if piece == "{" else "is closed and was not opened"
            raise BadTemplate(why=f"the brace at position {found.start()} {what}: write {piece * 2} for a brace itself")
        else:
            cells.append(_wanted(found["name"], columns))
            texts.append("")
    texts[-1] += template[at:]
    return _filler(texts, cells)


def find_column(name: str, columns: Sequence[str]) -> int | None:
    """Return which column is meant, from 0: by name, else by number from 1; None when there is none, or several."""
    for same in (str, _plain):
        found = [at for at, column in enumerate(columns) if same(column) == same(name)]
        if len(found) == 1:
            return found[0]
        if found:
            return None
    number = name.strip()
    if number.isascii() and number.isdigit() and len(number) < 6 and 1 <= int(number) <= len(columns):
        return int(number) - 1
    return None


def named(columns: Sequence[str]) -> str:
    """Return the names of columns for a sentence, bounded."""
    shown = ", ".join(column[:60] if column.isprintable() else ascii(column[:60]) for column in columns[:_SHOWN])
    more = len(columns) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _plain(name: str) -> str:
    return name.strip().casefold()


def _wanted(name: str, columns: Sequence[str]) -> int:
    found = find_column(name, columns)
    if found is None:
        twice = sum(_plain(column) == _plain(name) for column in columns) > 1
        what = "is the name of several columns: give its number" if twice else "is no column"
        raise BadTemplate(why=f"{{{name[:80]}}} {what}; known are: {named(columns)}")
    return found


def _filler(texts: Sequence[str], cells: Sequence[int]) -> Fill:
    if not cells:
        return lambda _: texts[0]
    width = max(cells) + 1
    filled = "%s".join(text.replace("%", "%%") for text in texts).__mod__
    chosen = itemgetter(*cells)  # of one cell the cell itself, of several a tuple: % takes either

    def fill(row: Sequence[str]) -> str:
        return filled(chosen(row if len(row) >= width else [*row, *[""] * (width - len(row))]))

    return fill
