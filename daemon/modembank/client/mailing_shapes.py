"""What a box answers about mailings, typed; as in ``shapes``."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modembank.client.shapes import Replacement

OVER = frozenset({"finished", "cancelled", "failed"})


class MailingImport(msgspec.Struct, frozen=True):
    """How far the file of a mailing is."""

    phase: str
    rows: int = 0
    read: int = 0
    accepted: int = 0
    refused: int = 0
    duplicates: int = 0
    waits_for: int = 0


class MailingCanary(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of a mailing that go first, and what is to become of the rest."""

    state: str
    size: int = 0
    share: float | None = None
    continue_: str = msgspec.field(name="continue", default="by_hand")
    minutes: int | None = None
    max_failed: float | None = None
    messages: Mapping[str, int] = {}
    left_at: str | None = None
    continues_at: str | None = None
    stopped: str | None = None


class Mailing(msgspec.Struct, frozen=True, kw_only=True):
    """A mailing; ``messages`` has how many of its messages are in each state."""

    id: str
    status: str
    name: str = ""
    file: str = ""
    columns: tuple[str, ...] = ()
    to_column: str = ""
    charset: str = ""
    delimiter: str = ""
    progress: MailingImport
    messages: Mapping[str, int] = {}
    segments: int = 0
    cause: str | None = None
    created_at: str = ""
    send_at: str | None = None
    expires_at: str | None = None
    window: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    rate_per_minute: float = 0.0
    eta_s: int | None = None
    finishes_at: str | None = None
    canary: MailingCanary | None = None

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to be sent."""
        return self.status in OVER

    @property
    def batch(self) -> str:
        """What to give ``messages(batch=…)`` for its messages."""
        return f"bat_{self.id.removeprefix('mlg_')}"


class RefusedRow(msgspec.Struct, frozen=True):
    """A row that gave no message."""

    line: int
    number: str = ""
    kind: str = ""
    reason: str = ""


class Moment(msgspec.Struct, frozen=True):
    """How many messages of a mailing were in each state."""

    at: str
    messages: Mapping[str, int] = {}


class Layout(msgspec.Struct, frozen=True):
    """How a file is read."""

    kind: str
    columns: tuple[str, ...] = ()
    to_column: str = ""
    header: bool = True
    charset: str = ""
    delimiter: str = ""


class SampleRow(msgspec.Struct, frozen=True):
    """What one row would become."""

    line: int
    number: str = ""
    to: str = ""
    text: str = ""
    encoding: str = ""
    segments: int = 0
    forced_by: tuple[str, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    text_after: str | None = None
    segments_after: int | None = None
    reason: str = ""


class MailingPreview(msgspec.Struct, frozen=True):
    """What the first rows of a file would become."""

    layout: Layout
    sample: tuple[SampleRow, ...] = ()


class ForcedBy(msgspec.Struct, frozen=True):
    """A character that forces UCS-2, and in how many messages it does."""

    character: str
    messages: int = 0
    replacement: str | None = None


class MailingCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole file would become."""

    layout: Layout
    sample: tuple[SampleRow, ...] = ()
    rows: int = 0
    accepted: int = 0
    refused: int = 0
    duplicates: int = 0
    opted_out: int = 0
    landlines: int = 0
    segments: int = 0
    ucs2: int = 0
    forced_by: tuple[ForcedBy, ...] = ()
    messages_replaceable: int = 0
    segments_saved: int = 0
    needed_s: int | None = None
    finishes_at: str | None = None
    first_refused: tuple[RefusedRow, ...] = ()
    quota_left: int | None = None
