"""Putting a backup in the place of the box's database.

The new database is made whole beside the old one, and takes its name in one step: whenever the process is killed, the
one or the other is there. The old one is never deleted, it keeps its content under a dated name.

Ids: the restored box hands out ids of a new epoch (modembank.ids), above every epoch that the backup or the old
database knows. A box that lost its database may have been restored before, in an epoch that nobody knows any more:
therefore the epoch is also no smaller than the ten-minute periods since 2024, as far as the clock is set.

Messages: what waited when the backup was made may have been sent since, so nothing of it is sent without a decision.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import msgspec

from modembank import audit
from modembank.accounts.model import LOCAL_ADMIN
from modembank.backup.checking import Checked, check_file, find_problem, open_untouched
from modembank.backup.errors import DaemonRunning, RestoreRefused
from modembank.backup.former import FormerDatabase, set_aside
from modembank.backup.learning import Learnt, former, former_head, learn, learnt
from modembank.backup.manifest import take_failed_pins
from modembank.backup.placing import unfinished
from modembank.clock import rfc3339
from modembank.durable import sync
from modembank.ids import EPOCH_SHIFT
from modembank.mailings.rows import break_off
from modembank.messages import search
from modembank.messages.outbox.fold import Fold
from modembank.messages.outbox.holding import hold_waiting
from modembank.modem import FAILED_PINS, PinRecord
from modembank.store import StoreBusy, StoreError
from modembank.store.lock import OwnerLock, TurnLock
from modembank.store.opening import known_epoch
from modembank.store.schema import apply_due

_EPOCH_FROM_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_EPOCH_PERIOD_MS = 600_000
_MOST_PERIODS = 1 << 22
"""A clock is believed until 2103: an epoch has 23 bits (modembank.ids), and restores beyond need some, too."""


class Restored(msgspec.Struct, frozen=True):
    """What was done."""

    checked: Checked
    epoch: int
    held: int
    interrupted: int
    """Attempts that were under way when the backup was made: now UNKNOWN."""
    set_aside: Path | None
    """Where the former database is, if there was one."""
    learnt: Learnt | None
    """What the former database still knew; None when there was none, or none that is sound."""


def restore(database: Path, source: Path, now_ms: int, agree: Callable[[Checked], None]) -> Restored:
    """Restore the box's database from ``source``; blocks.

    ``agree`` is called when a database has to be set aside, and raises when that is not wanted. Raises DaemonRunning,
    NotABackup, ForeignDatabase, BackupTooNew, BackupDamaged, RestoreRefused; then the database is as it was.
    """
    with _alone(database):
        checked = check_file(source)
        if database.exists():
            if database.samefile(source):
                raise RestoreRefused(detail=f"{source} is the box's own database")
            agree(checked)
        try:
            return _restore(database, checked, now_ms)
        except OSError as error:
            raise RestoreRefused(detail=f"{error.filename or database}: {error.strerror or error}") from error
        except (sqlite3.Error, StoreError) as error:
            raise RestoreRefused(detail=str(error)) from error


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Keep the daemon out, and small tools from writing."""
    owner = OwnerLock(database)
    try:
        owner.take()
    except StoreBusy as error:
        raise DaemonRunning(path=database, pid=error.fields["pid"]) from error
    turn = TurnLock(database)
    try:
        with turn.held(wait=True):
            yield
    finally:
        turn.close()
        owner.release()


def _restore(database: Path, checked: Checked, now_ms: int) -> Restored:
    old = FormerDatabase.look_at(database)
    with unfinished(database, alone=True) as path:
        with closing(_copied(checked.path, path)) as conn, former(conn, database) if old.sound else nullcontext():
            conn.execute("BEGIN IMMEDIATE")
            failed_pins = take_failed_pins(conn)
            if old.sound:
                learn(conn)
            epoch = next_epoch(max(known_epoch(conn), old.epoch), now_ms)
            _note(conn, epoch, checked, now_ms)
            interrupted = Fold(conn, now_ms).run(everything=True).interrupted
            found = learnt(conn) if old.sound else None
            # What was held already may have been released and sent since as well.
            conn.execute("UPDATE messages SET ready = 1 WHERE ready = 3")
            held = hold_waiting(conn, _cause(checked), now_ms)
            break_off(conn, now_ms)
            conn.execute("DELETE FROM sessions")  # nobody knows which of them were ended since
            _record(conn, checked, former_head(conn) if old.sound else None, now_ms)
            conn.execute("COMMIT")
            problem = find_problem(conn)
            if problem is not None:
                raise RestoreRefused(detail=f"the restored database would be wrong: {problem}")
        sync(path)
        # A PIN that failed must be known before anything can start on the new database.
        if failed_pins:
            PinRecord(database.with_name(FAILED_PINS)).add(failed_pins)
        aside = set_aside(database, now_ms) if database.exists() else None
        path.replace(database)
        sync(database.parent)
    return Restored(checked, epoch, held, interrupted, aside, found)


def next_epoch(known: int, now_ms: int) -> int:
    """Return an epoch that no id was handed out in."""
    periods = (now_ms - _EPOCH_FROM_MS) // _EPOCH_PERIOD_MS
    return max(known + 1, min(periods, _MOST_PERIODS))


def _copied(source: Path, path: Path) -> sqlite3.Connection:
    """Copy the database and return a connection to the copy, brought to this release's schema."""
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    conn.execute("PRAGMA synchronous = OFF")  # synced once, when it is complete
    conn.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
    with closing(open_untouched(source)) as whole:
        whole.backup(conn, pages=4_096)
    conn.execute("PRAGMA secure_delete = ON")  # what was redacted since is overwritten, in the index as well
    conn.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, also when the source was one with a log
    apply_due(conn, path)
    conn.execute("BEGIN")
    search.forget_all(conn)  # it knows nothing of what is redacted here; the daemon makes it anew
    conn.execute("COMMIT")
    return conn


def _cause(checked: Checked) -> str:
    made_at = rfc3339(checked.manifest.made_at)
    what = f"the backup of {made_at} was made" if checked.is_backup else f"{checked.path.name} was written ({made_at})"
    return f"restored: waited when {what}; it may have been sent since"


def _note(conn: sqlite3.Connection, epoch: int, checked: Checked, now_ms: int) -> None:
    notes = {
        "epoch": str(epoch),
        "restored_at": str(now_ms),
        "restored_from": f"{checked.path.name} of {rfc3339(checked.manifest.made_at)}",
    }
    conn.executemany("INSERT OR REPLACE INTO box (name, value) VALUES (?, ?)", notes.items())
    # Events of the new epoch have greater ids than any that a follower may have seen of what is set aside.
    conn.execute("INSERT INTO event_log (id, at, kind) VALUES (?, ?, 'box.restored')", (epoch << EPOCH_SHIFT, now_ms))


def _record(conn: sqlite3.Connection, checked: Checked, former_head: str | None, now_ms: int) -> None:
    """Go on with the backup's audit log: what the former database's ended with tells what stays behind with it."""
    audit.record(
        conn,
        LOCAL_ADMIN,
        "backup.restore",
        checked.path.name,
        now_ms,
        {"made_at": rfc3339(checked.manifest.made_at), "former_head": former_head},
    )
