"""Importing: every row of a stored file is checked, then becomes a message; a crash loses nothing and repeats nothing.

How far the import is stands in the transaction that makes the messages of those rows. After a crash the file is read
again, the same way, and goes on behind the last row that is durable.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path

import msgspec

from modembank import optouts
from modembank.accounts import is_active
from modembank.accounts.quotas import QuotaExceeded, Spending
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.events import BatchGrown, MailingChanged, MessagesReady
from modembank.failpoints import Failpoint, reach
from modembank.mailings import rows
from modembank.mailings.model import Found, ImportPhase, Layout, Order, Piece, Row, Wish
from modembank.mailings.reading import Pass, UnreadableFile, reading
from modembank.mailings.recipients import MOST_FORCED
from modembank.mailings.rows import Mailing
from modembank.messages import Admission
from modembank.messages.admission import MAX_AHEAD_MS
from modembank.messages.batches import Added, Items, add, pause
from modembank.messages.numbers import BadNumber
from modembank.metrics import Metrics
from modembank.store import Store
from modembank.tpdu import Encoding

SHOWN = 10
"""Refused rows that are named when a whole file is refused."""
OPTED_OUT = "has opted out: it wants no messages of this box"
DISABLED = "was not accepted: the user of this mailing was disabled before its turn came"
Change = Callable[[sqlite3.Connection, Mailing, int], None]
Seen = Callable[[int, Sequence[Row]], None]
"""Is told how many more rows were checked, and which of them were refused, or are opted out."""
PIECE = 250
"""Rows that are written together at least: others that write wait for all of them."""
MOST_PIECES = 20
LONG_S = 0.05
"""A write that takes longer than this, until it is on the disk, is followed by a smaller one."""


class Loaded(msgspec.Struct, frozen=True):
    """What became of pieces of a file; ``going`` is false when the import is to end."""

    going: bool
    pieces: int = 0
    """That were written, in one transaction."""
    added: tuple[Added, ...] = ()
    wanted: bool = False
    """Somebody else waited for the writer."""


class _Parted(msgspec.Struct, frozen=True):
    """Rows that become messages, and those that do not, with the reason."""

    items: Items
    segments: int
    refused: Sequence[Row]


class _Tally(msgspec.Struct):
    first: list[tuple[int, str, str]] = msgspec.field(default_factory=list)
    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    segments: int = 0
    ucs2: int = 0
    opted_out: int = 0
    landlines: int = 0
    plain: int = 0
    saved: int = 0
    forced: Counter[str] = msgspec.field(default_factory=Counter)

    def count_plain(self, piece: Piece) -> None:
        """Count the good rows of a piece that are all 7-bit."""
        self.rows += piece.count
        self.accepted += piece.count
        self.segments += piece.segments

    def count(self, good: Sequence[Row]) -> None:
        self.rows += len(good)
        self.accepted += len(good)
        for row in good:
            self.segments += row.segments
            if row.encoding == Encoding.UCS2:
                self.ucs2 += 1
                self.plain += row.plain_segments > 0
                self.saved += row.segments - row.plain_segments if row.plain_segments else 0
                self.forced.update(row.forced_by)

    def refuse(self, refused: Sequence[Row]) -> None:
        self.rows += len(refused)
        for row in refused:
            self.duplicates += row.duplicate
            self.opted_out += row.reason == OPTED_OUT
            if not row.duplicate and len(self.first) < SHOWN:
                self.first.append((row.line, row.written, row.reason))

    def result(self) -> Found:
        refused = self.rows - self.accepted - self.duplicates
        return Found(
            rows=self.rows,
            accepted=self.accepted,
            refused=refused,
            duplicates=self.duplicates,
            segments=self.segments,
            ucs2=self.ucs2,
            opted_out=self.opted_out,
            landlines=self.landlines,
            plain=self.plain,
            segments_saved=self.saved,
            forced_by=tuple(self.forced.most_common(MOST_FORCED)),
            first_refused=tuple(self.first),
        )


class Importing:
    """Carries imports on, one after the other."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, metrics: Metrics, admission: Admission, folder: Path
    ) -> None:
        """Files are in ``folder``, each under its mailing's public id."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._admission = admission
        self._folder = folder

    def path(self, mailing: Mailing) -> Path:
        """Return where a mailing's file is until it is imported."""
        return self._folder / mailing.public_id

    async def check(self, path: Path, layout: Layout, seen: Seen | None = None) -> Found:
        """Look at every row of a file, and tell of them as it goes; raises UnreadableFile."""
        order = Order(path=str(path), layout=layout, rules=self._admission.rules, piece=PIECE, offers=True)
        async with reading(order) as next_pass:
            return await self._checked(next_pass, seen)

    async def _checked(self, next_pass: Pass, seen: Seen | None = None) -> Found:
        tally = _Tally()
        async with aclosing(next_pass()) as pieces:
            async for piece in pieces:
                out = await self._store.read(lambda conn, some=piece: optouts.among(conn, _numbers(some)))  # type: ignore[misc]
                refused: Sequence[Row] = piece.refused
                if out or piece.ucs2:
                    rows = piece.good_rows()
                    tally.count([row for row in rows if row.number not in out])
                    refused = sorted([*refused, *map(_opted_out, _of(rows, out))], key=attrgetter("line"))
                else:
                    tally.count_plain(piece)
                tally.refuse(refused)
                tally.landlines += piece.landlines
                if seen is not None:
                    seen(piece.rows, refused)
        return tally.result()

    async def carry_on(self, mailing: Mailing) -> None:
        """Import a mailing's file from where it is, to its end or until it is cancelled."""
        path = self.path(mailing)
        try:
            if not await asyncio.to_thread(path.exists):
                await self._write(mailing.id, _file_gone)
                return
            checking = mailing.phase is ImportPhase.CHECKING
            order = Order(
                path=str(path), layout=mailing.layout, rules=self._admission.rules, piece=PIECE, skip=mailing.rows,
                twice=checking,
            )  # fmt: skip
            async with reading(order) as next_pass:
                if not checking or await self._has_good_rows(mailing, next_pass):
                    await self._load(mailing, next_pass)
        except UnreadableFile as error:
            why = str(error)
            await self._write(mailing.id, lambda conn, one, now: _unreadable(conn, one, why, now))
        finally:
            await self._forget_file(mailing)
            self._tell(mailing)

    def _tell(self, mailing: Mailing) -> None:
        """Have whoever looks at it look again."""
        self._bus.publish(MailingChanged(self._now(), mailing.user_id))

    async def _has_good_rows(self, mailing: Mailing, next_pass: Pass) -> bool:
        """Look at every row, and note durably what was found."""
        found = await self._checked(next_pass)
        await self._write(mailing.id, lambda conn, one, now: note_found(conn, one, found, now))
        self._tell(mailing)
        return found.accepted > 0

    async def _load(self, mailing: Mailing, next_pass: Pass) -> None:
        """Make messages, in long writes as long as nobody else writes, and in short ones with rests between else."""
        done, most = mailing.rows, 1
        waiting: list[Piece] = []
        async with aclosing(next_pass()) as pieces:
            while True:
                while len(waiting) < most and (piece := await anext(pieces, None)) is not None:
                    waiting.append(piece)
                if not waiting:
                    break
                began = self._clock.monotonic()
                load = partial(self._pieces, mailing_id=mailing.id, at=done, pieces=tuple(waiting[:most]))
                loaded = await self._store.write(load, reserve=False)
                took = self._clock.monotonic() - began
                self.announce(mailing.user_id, *loaded.added)
                if not loaded.going:
                    return
                self._tell(mailing)
                done += sum(piece.rows for piece in waiting[: loaded.pieces])
                del waiting[: loaded.pieces]
                if loaded.wanted:
                    most = 1
                    await asyncio.sleep(took)  # so that others have half of the writer's time at least
                else:
                    most = max(most // 2, 1) if took > LONG_S else min(most * 2, MOST_PIECES)
        await self._write(mailing.id, _imported)

    def refusal(self, written: str) -> str:
        """Return why the box does not send to a number; empty when it does."""
        try:
            number = self._admission.recipient(written)
        except BadNumber as error:
            return str(error)
        return self._admission.not_permitted(number) or ""

    def _pieces(self, conn: sqlite3.Connection, mailing_id: int, at: int, pieces: Sequence[Piece]) -> Loaded:
        """Make messages of pieces until somebody else waits, and note that it is done, in one transaction."""
        now = self._now()
        mailing = rows.read(conn, mailing_id)
        if mailing is None or mailing.phase is not ImportPhase.LOADING or mailing.rows != at:
            return Loaded(going=False)
        added: list[Added] = []
        done, wanted = 0, False
        spending, active = Spending(conn), is_active(conn, mailing.user_id)
        for piece in pieces:
            parted = _parted(conn, mailing, piece, spending, now, active=active)
            rows.keep_rows(conn, mailing, parted.refused)
            if parted.items.count:
                added.append(self._added(conn, mailing, parted.items, now))
            mailing.rows += piece.rows
            mailing.accepted += parted.items.count
            mailing.segments += parted.segments
            done += 1
            if wanted := self._store.wanted:
                break
        spending.finish()
        rows.save(conn, mailing, now)
        reach(Failpoint.MAILING_CHUNK)
        return Loaded(True, done, tuple(added), wanted)

    def _added(self, conn: sqlite3.Connection, mailing: Mailing, items: Items, now: int) -> Added:
        """Make messages; of a mailing with a canary only those that belong to it may go, and the rest stays valid."""
        first = self._store.ids.take(items.count)
        canary = mailing.canary
        if canary is None or canary.continued_at is not None:
            return add(conn, mailing.id, mailing.terms, items, expires_at=mailing.expires_at, first=first, now=now)
        own = min(canary.room(mailing.accepted), items.count)
        canaries, others = items.parted(own)
        free = mailing.wish is Wish.CANARY
        flown = add(
            conn, mailing.id, mailing.terms, canaries, expires_at=mailing.expires_at, first=first, now=now,
            waits=not free,
        )  # fmt: skip
        later = mailing.created_at + MAX_AHEAD_MS
        kept = add(conn, mailing.id, mailing.terms, others, expires_at=later, first=first + own, now=now, waits=True)
        if own:
            mailing.canary = msgspec.structs.replace(canary, last=first + own - 1)
            if free:
                pause(conn, mailing.id, free_to=first + own - 1)
        return Added(first, items.count, kept.state, flown.entries)

    def announce(self, user_id: int, *added: Added) -> None:
        """Tell of messages that are durable."""
        now = self._now()
        for some in added:
            self._bus.publish(BatchGrown(now, some.first, some.count, user_id, some.state))
            self._metrics.accepted.inc(some.count)
        if entries := tuple(chain.from_iterable(some.entries for some in added)):
            self._bus.publish(MessagesReady(now, entries))

    async def _write(self, mailing_id: int, change: Change) -> None:
        now = self._now()

        def write(conn: sqlite3.Connection) -> None:
            mailing = rows.read(conn, mailing_id)
            if mailing is not None and mailing.importing:
                change(conn, mailing, now)
                rows.save(conn, mailing, now)

        await self._store.write(write)

    async def _forget_file(self, mailing: Mailing) -> None:
        """Delete a file of which nothing is to be read any more; what a crash leaves is deleted at the next start."""
        now = await self._store.read(lambda conn: rows.read(conn, mailing.id))
        if now is None or not now.importing:
            await asyncio.to_thread(self.path(mailing).unlink, missing_ok=True)

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _parted(
    conn: sqlite3.Connection, mailing: Mailing, piece: Piece, spending: Spending, now: int, *, active: bool
) -> _Parted:
    """Part rows that become messages, which count against the user's quota, from those that do not.

    Nearly always all good ones do, and then none of them is looked at.
    """
    out = optouts.among(conn, _numbers(piece))
    if active and not out:
        try:
            spending.spend(mailing.user_id, piece.segments, now)
        except QuotaExceeded:
            pass  # some of them may fit
        else:
            return _Parted(Items(bytes(piece.good).decode(), 0, piece.count), piece.segments, piece.refused)
    good: list[Row] = []
    refused = list(piece.refused)
    for row in piece.good_rows():
        reason = (OPTED_OUT if row.number in out else "") or ("" if active else DISABLED)
        if not reason:
            try:
                spending.spend(mailing.user_id, row.segments, now)
            except QuotaExceeded as error:
                reason = str(error)
        if reason:
            refused.append(msgspec.structs.replace(row, reason=reason))
        else:
            good.append(row)
    items = Items(msgspec.json.encode(good).decode(), 0, len(good))
    return _Parted(items, sum(row.segments for row in good), refused)


def _of(rows: Sequence[Row], numbers: Container[str]) -> Iterator[Row]:
    return (row for row in rows if row.number in numbers)


def _numbers(piece: Piece) -> Iterator[str]:
    """Return the numbers of the good rows, which are taken apart only for whoever asks."""
    for row in piece.good_rows():
        yield row.number


def note_found(conn: sqlite3.Connection, mailing: Mailing, found: Found, now: int) -> None:
    """Note in a mailing, to be saved, that all rows were looked at: one that gives a message is enough to go on."""
    mailing.total = found.rows
    if not found.accepted:
        mailing.rows, mailing.refused, mailing.duplicates = found.rows, found.refused, found.duplicates
        shown = "; ".join(f"line {line} ({written}): {why}" for line, written, why in found.first_refused)
        _fail(conn, mailing, f"no row can be sent: {shown}"[:4000], now)
        return
    mailing.phase = ImportPhase.LOADING
    if mailing.canary is not None:
        mailing.canary = mailing.canary.sized(found.accepted)
    if mailing.goes and mailing.due(now):
        mailing.started_at = now
        rows.tell(conn, mailing, "started", now)


def _imported(conn: sqlite3.Connection, mailing: Mailing, now: int) -> None:
    mailing.phase, mailing.imported_at = ImportPhase.DONE, now
    rows.tell(conn, mailing, "imported", now)


def _unreadable(conn: sqlite3.Connection, mailing: Mailing, why: str, now: int) -> None:
    """A file that was read to its end once can be read again, unless it was changed: then what is made of it stays."""
    if mailing.phase is ImportPhase.CHECKING:
        _fail(conn, mailing, why, now)
        return
    mailing.cause = f"{why}: the rows behind {mailing.rows} were not imported"
    _imported(conn, mailing, now)


def _file_gone(conn: sqlite3.Connection, mailing: Mailing, now: int) -> None:
    _unreadable(conn, mailing, "its file is not there any more, as after a restore", now)


def _fail(conn: sqlite3.Connection, mailing: Mailing, why: str, now: int) -> None:
    mailing.phase, mailing.cause, mailing.finished_at = ImportPhase.FAILED, why, now
    rows.tell(conn, mailing, "failed", now)


def _opted_out(row: Row) -> Row:
    return msgspec.structs.replace(row, reason=OPTED_OUT)
