"""What the recorder wrote: the operations on the disk in order, and where each stands in a life of the box."""

import bisect
import enum
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
_HEADER = struct.Struct("<IIQqII")
DATABASE = "modembank.sqlite3"


class Kind(enum.IntEnum):
    """As in recorder.c."""

    OPEN = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    CLOSE = 5
    RENAME = 6
    UNLINK = 7
    LINK = 8
    MKDIR = 9
    RMDIR = 10


CREATED = 1
DIRECTORY = 2


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; paths are absolute, ``at`` is the number of operations before it."""

    at: int
    kind: Kind
    handle: int
    value: int
    """OPEN: flags; WRITE: the offset; TRUNCATE: the size; SYNC: how many operations came before it began."""
    path: str
    data: bytes
    """WRITE: what was written; RENAME and LINK: the other path."""


class Trace:
    """All operations, and the place in them of a length that the growing trace once had."""

    def __init__(self, octets: bytes) -> None:
        self._ends: list[int] = []
        self.operations: list[Operation] = []
        view, start = memoryview(octets), 0
        while start + _HEADER.size <= len(octets):
            length, kind, handle, value, named, size = _HEADER.unpack_from(view, start)
            if start + length > len(octets):
                break
            middle = start + _HEADER.size + named
            path = bytes(view[start + _HEADER.size : middle]).decode()
            if kind == Kind.SYNC:
                value = self.place(value)
            data = bytes(view[middle : middle + size])
            self.operations.append(Operation(len(self.operations), Kind(kind), handle, value, path, data))
            start += length
            self._ends.append(start)

    def __len__(self) -> int:
        return len(self.operations)

    def place(self, length: int) -> int:
        """Return how many operations a trace of this many octets holds."""
        return bisect.bisect_right(self._ends, length)


def build_recorder(folder: Path) -> Path:
    """Compile the library that is preloaded under the daemon."""
    target = folder / "recorder.so"
    source = HERE / "recorder.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", target, source, "-ldl", "-lpthread"], check=True)
    return target


class Recorder:
    """Where a recording grows: the folder that is watched, the trace, and the flags that it shares with the daemon."""

    def __init__(self, folder: Path, *, sync_us: int = 1000) -> None:
        folder = folder.resolve()
        self.watched = folder / "box"
        self.trace = folder / "trace"
        self._flags = folder / "flags"
        self.watched.mkdir()
        self.trace.touch()
        self._flags.write_bytes(bytes(8))
        self.env = {
            "LD_PRELOAD": str(build_recorder(folder)),
            "RECORDER_FOLDER": str(self.watched),
            "RECORDER_TRACE": str(self.trace),
            "RECORDER_FLAGS": str(self._flags),
            "RECORDER_SYNC_US": str(sync_us),
        }

    def length(self) -> int:
        """How long the trace is now: the stamp of whatever is known at this moment."""
        return self.trace.stat().st_size

    def busy(self) -> bool:
        """Whether an operation was made and its record was not: ask it of a stopped process, before killing it."""
        return any(self._flags.read_bytes()[:4])

    def hold(self, *, syncs: bool) -> None:
        """Let no sync end, as a disk that hangs; or let them end again."""
        with self._flags.open("r+b") as flags:
            flags.seek(4)
            flags.write(bytes([syncs, 0, 0, 0]))

    def read(self) -> Trace:
        return Trace(self.trace.read_bytes())
