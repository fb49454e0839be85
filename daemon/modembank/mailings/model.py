"""The words of mailings: their states, how a file is read, and what stands in a row."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from modembank.messages.permitted import Rules

MAX_ROWS = 1_000_000
"""Rows of one file."""
MAX_COLUMNS = 200
MAX_CELL = 65_536
"""Characters of one cell."""
KEPT_ROWS = 10_000
"""Refused rows that are stored for one mailing; all are counted."""
MAX_WRITTEN = 80
"""Characters that are kept of a number as it was written."""


class MailingState(enum.IntEnum):
    """Where a mailing is."""

    IMPORTING = 10
    """Its file is being read. Without ``hold``, the first messages may be on their way already."""
    READY = 20
    """It waits to be started."""
    SCHEDULED = 30
    """Its time has not come."""
    SENDING = 40
    CANARY = 45
    """Its first messages go or have gone; the rest waits until it is let go on."""
    PAUSED = 50
    FINISHED = 60
    """Nothing of it is left to be sent."""
    CANCELLED = 70
    FAILED = 80
    """Its file could not be imported; it has no messages."""

    @property
    def word(self) -> str:
        """The API's word for it."""
        return self.name.lower()


class ImportPhase(enum.IntEnum):
    """How far the import of a file is."""

    CHECKING = 1
    """Every row is looked at, and nothing is made of it yet."""
    LOADING = 2
    """Rows become messages."""
    DONE = 3
    FAILED = 4
    """Nothing of the file became a message."""


class Wish(enum.IntEnum):
    """What is to become of the messages that nobody tried to send yet."""

    GO = 1
    HOLD = 2
    """Wait for the start."""
    PAUSE = 3
    CANCEL = 4
    CANARY = 5
    """The first ones go, the rest waits."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """How the client wants a file to be read; None: find out."""

    template: str | None = None
    text_column: str | None = None
    to_column: str | None = None
    reference_column: str | None = None
    header: Literal["auto", "yes", "no"] = "auto"
    delimiter: str | None = None
    charset: str | None = None
    sheet: str | None = None
    encoding: Literal["auto", "gsm7", "ucs2"] = "auto"
    max_segments: int = 10
    region: str = ""
    allow_duplicates: bool = False
    replace: bool = False


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is read, once that is known. Columns count from 0."""

    kind: Literal["csv", "xlsx"]
    columns: tuple[str, ...]
    to_column: int
    header_rows: int
    """Rows before the first one that is a recipient."""
    template: str | None = None
    text_column: int | None = None
    reference_column: int | None = None
    charset: str = ""
    delimiter: str = ""
    sheet: str = ""
    encoding: Literal["auto", "gsm7", "ucs2"] = "auto"
    max_segments: int = 10
    region: str = ""
    allow_duplicates: bool = False
    replace: bool = False
    """What forces UCS-2 is replaced in texts where that makes them 7-bit."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One row of the file as it was understood; one with a reason gives no message.

    It begins as an Item of messages.batches does: as JSON, rows are items.
    """

    number: str
    text: str
    encoding: str
    segments: int
    reference: str | None
    line: int
    """From 1; the header is one too."""
    written: str
    """The number as it stands in the file, bounded."""
    reason: str = ""
    duplicate: bool = False
    """The number has a message already."""
    forced_by: tuple[str, ...] = ()
    """The first characters that force UCS-2, when offers were asked for."""
    plain_segments: int = 0
    """What it would take after all replacements, if that made it 7-bit; else 0."""


_rows = msgspec.json.Decoder(list[Row]).decode


class Piece(msgspec.Struct, frozen=True, array_like=True, tag="piece"):
    """Some rows that follow each other in the file; the good ones are still JSON, for hardly anybody looks at them."""

    count: int
    """Of the good ones."""
    segments: int
    """Of those."""
    ucs2: int
    """How many of those are in UCS-2."""
    landlines: int
    """How many of those are known to go to a fixed line; not counted where nobody is told."""
    good: msgspec.Raw
    """List of rows."""
    refused: tuple[Row, ...]

    @property
    def rows(self) -> int:
        """How many these are."""
        return self.count + len(self.refused)

    def good_rows(self) -> list[Row]:
        """Return the rows that give messages."""
        return _rows(self.good)


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """All rows were read."""

    rows: int


class Trouble(msgspec.Struct, frozen=True, array_like=True, tag="trouble"):
    """The file cannot be read, or not any further: which field is to blame, and why."""

    pointer: str
    detail: str


class Looked(msgspec.Struct, frozen=True, array_like=True, tag="looked"):
    """What a first look at the file found."""

    layout: Layout
    sample: tuple[Row, ...]


class Table(msgspec.Struct, frozen=True, array_like=True, tag="table"):
    """A file as its first rows show it, before anybody says what is sent. Columns count from 0."""

    kind: Literal["csv", "xlsx"]
    charset: str
    delimiter: str
    sheets: tuple[str, ...]
    """Of a workbook."""
    sheet: str
    header: bool
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Line and cells of the first ones behind the header; long cells are cut."""
    to_column: int | None
    """Which seems to hold the numbers."""
    text_column: int | None
    """Which seems to hold a text for each row."""


Said = Piece | End | Trouble | Looked | Table


class Order(msgspec.Struct, frozen=True):
    """What the reading process is to do: look at a file, or read its rows from one on."""

    path: str
    ask: Ask | None = None
    table: bool = False
    """Only show its first rows."""
    sample: int = 5
    layout: Layout | None = None
    rules: Rules | None = None
    """By which rows are refused besides."""
    piece: int = 250
    """Rows that are told of together, at most."""
    skip: int = 0
    """Rows that are imported already."""
    offers: bool = False
    """Tell of what could be replaced."""
    twice: bool = False
    """Read it to its end, and then once more."""


class Found(msgspec.Struct, frozen=True):
    """What the check of all rows found."""

    rows: int = 0
    accepted: int = 0
    refused: int = 0
    duplicates: int = 0
    segments: int = 0
    ucs2: int = 0
    opted_out: int = 0
    """Of those refused."""
    landlines: int = 0
    """Of those accepted, and those that opted out: few fixed lines take a message."""
    plain: int = 0
    """Messages that replacements would make 7-bit."""
    segments_saved: int = 0
    """By those."""
    forced_by: tuple[tuple[str, int], ...] = ()
    """Characters that force UCS-2, each with the messages in which it does; those in most come first."""
    first_refused: tuple[tuple[int, str, str], ...] = ()
    """Line, number as written, reason."""
