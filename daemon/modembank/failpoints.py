"""Named places in the code where a proof may end the process at once, as a pulled plug or SIGKILL would.

Nothing is armed unless ``MODEMBANK_FAILPOINT=name[:nth]`` stands in the environment when the process starts: then the
``nth`` arrival at that place (the first, without a number) is the last thing the process does. ``modembank selftest``
and the tests use it to die exactly where it hurts most; in service, an arrival costs one comparison.
"""

from __future__ import annotations

import enum
import os
import signal
import threading

VARIABLE = "MODEMBANK_FAILPOINT"


class Failpoint(enum.Enum):
    """Where a process can be made to die; each value is its name in the environment."""

    INTENT_DURABLE = "intent_durable"
    """The intent is on the disk, Ctrl-Z is not written."""
    CTRL_Z_WRITTEN = "ctrl_z_written"
    """The PDU and Ctrl-Z were handed to the port, no final result has come."""
    FINAL_SEEN = "final_seen"
    """The final result came, its settlement is not durable."""
    INBOUND_ANNOUNCED = "inbound_announced"
    """The modem announced a stored message, nothing of it was read."""
    INBOUND_STORED = "inbound_stored"
    """An inbound PDU is on the disk, the modem still has it."""
    INBOUND_DELETED = "inbound_deleted"
    """The modem has deleted it, the ledger does not know that yet."""
    GROUP_WRITTEN = "group_written"
    """All functions of a group commit ran, COMMIT did not."""
    GROUP_COMMITTED = "group_committed"
    """COMMIT returned, no caller was told."""
    FOLDED = "folded"
    """A fold ran inside its transaction, which is not committed."""
    CHECKPOINT = "checkpoint"
    """Before the log is copied into the database file."""
    MIGRATION_STATEMENT = "migration_statement"
    """A statement of a migration ran, the migration is not committed."""
    MAILING_CHUNK = "mailing_chunk"
    """Rows of a mailing became messages, the transaction is not committed."""
    MAILING_STEP = "mailing_step"
    """A step of pausing, resuming or cancelling a mailing ran, and is not committed."""
    STOP_FACES = "stop_faces"
    """In an orderly stop: the API is closed, exchanges are still under way."""
    STOP_DRAINED = "stop_drained"
    """In an orderly stop: the dispatcher gives out nothing more, modems are still open."""
    STOP_FLUSHED = "stop_flushed"
    """In an orderly stop: the journal is folded, the database is not closed."""


class _Armed:
    """The one place that was armed, and how many arrivals are left."""

    def __init__(self, text: str | None) -> None:
        name, _, nth = (text or "").partition(":")
        self.point = Failpoint(name) if name else None
        self._left = int(nth or 1)
        self._lock = threading.Lock()  # arrivals come from the event loop and from the writer's thread

    def arrive(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


_armed = _Armed(os.environ.get(VARIABLE))


def reach(point: Failpoint) -> None:
    """Arrive at a place: the process ends here if that was asked for."""
    if point is _armed.point:
        _armed.arrive()
