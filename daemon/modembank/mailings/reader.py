"""The reading process: parses a client's file where it can do no harm, and says what it found, in lines of JSON.

``reader_process`` starts it; the order comes on standard input. It has a bound of memory, of processor time and of
files, opens nothing but the one file, and may die of it: whoever waits for it makes that a sentence.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from modembank.errors import InvalidRequest
from modembank.mailings.layouts import lay_out, rows_of, tabulate
from modembank.mailings.model import MAX_ROWS, End, Looked, Order, Piece, Row, Said, Trouble
from modembank.mailings.recipients import Recipients
from modembank.mailings.tables import BadFile
from modembank.messages.numbers import is_landline
from modembank.tpdu import Encoding

MEMORY_OCTETS = 512 << 20
PROCESSOR_S = 600
PIECE_CHARACTERS = 1 << 15
"""Of texts and reasons: a piece is told of before it would become too long a line for whoever reads."""
_GSM7 = Encoding.GSM7.value
_encode = msgspec.json.Encoder().encode


def main() -> None:
    """Do one order."""
    confine()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    out = sys.stdout.buffer
    for said in carried_out(order):
        out.write(_encode(said) + b"\n")
    out.flush()


def confine() -> None:
    """Bound what this process may take."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_OCTETS, MEMORY_OCTETS))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def carried_out(order: Order) -> Iterator[Said]:
    """Yield what is to be said; the last is always an End, a Trouble, or what a look found."""
    try:
        yield from _shown(order)
    except InvalidRequest as error:
        for problem in error.problems:
            yield Trouble(problem.pointer, problem.detail)
    except BadFile as error:
        yield Trouble("/file", str(error))
    except MemoryError:
        yield Trouble("/file", "takes too much memory to be read")


def _shown(order: Order) -> Iterator[Said]:
    if order.ask is None:
        return _read(order)
    return iter([tabulate(Path(order.path), order.ask, order.sample)]) if order.table else _look(order)


def _look(order: Order) -> Iterator[Said]:
    assert order.ask is not None
    layout, body = lay_out(Path(order.path), order.ask)
    recipients = Recipients(layout, offers=True)
    yield Looked(layout, tuple(recipients.rows(islice(body, order.sample))))


def _read(order: Order) -> Iterator[Said]:
    for _ in range(2 if order.twice else 1):
        yield from _all(order)


def _all(order: Order) -> Iterator[Said]:
    assert order.layout is not None
    refusal = None if order.rules is None else order.rules.refusal()
    recipients = Recipients(order.layout, offers=order.offers, refusal=refusal)
    rows = recipients.rows(islice(rows_of(Path(order.path), order.layout), MAX_ROWS + 1))
    count = sum(1 for _ in islice(rows, order.skip))
    for piece in _pieces(rows, order.piece, is_landline if order.offers else _uncounted):
        count += piece.rows
        if count > MAX_ROWS:
            raise BadFile(why=f"has more than {MAX_ROWS} rows: divide it")
        yield piece
    yield End(count)


def _uncounted(_: str) -> bool:
    return False


def _pieces(rows: Iterator[Row], most: int, landline: Callable[[str], bool]) -> Iterator[Piece]:
    while piece := _piece(rows, most, landline):
        yield piece


def _piece(rows: Iterator[Row], most: int, landline: Callable[[str], bool]) -> Piece | None:
    """Return the next rows, bounded in number and size; None at the end."""
    good: list[Row] = []
    refused: list[Row] = []
    characters = segments = ucs2 = landlines = 0
    for row in islice(rows, most):
        if row.reason:
            refused.append(row)
            characters += len(row.reason)
        else:
            good.append(row)
            segments += row.segments
            if row.encoding != _GSM7:
                ucs2 += 1
            landlines += landline(row.number)
            characters += len(row.text)
        if characters > PIECE_CHARACTERS:
            break
    if not good and not refused:
        return None
    return Piece(len(good), segments, ucs2, landlines, msgspec.Raw(_encode(good)), tuple(refused))
