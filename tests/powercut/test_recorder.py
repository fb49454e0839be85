"""The recorder sees every way in which a file can be changed, and what was replayed is what is there."""

import pytest

from powercut.children import ran
from powercut.disk import Cut, Disk, Fate, Folders, check_complete
from powercut.recording import DATABASE, Kind, Recorder, Trace

pytestmark = pytest.mark.native

WAYS = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
(folder / "written").write_text("written at once")
with (folder / "appended").open("a") as file:
    file.write("one,")
with (folder / "appended").open("a") as file:
    file.write("two")
fd = os.open(folder / "placed", os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"behind a hole", 1000)
os.pwritev(fd, [b"in ", b"two pieces"], 20)
os.lseek(fd, 10, os.SEEK_SET)
os.writev(fd, [b"by ", b"seek"])
os.ftruncate(fd, 1005)
try:
    os.posix_fallocate(fd, 0, 5000)
except OSError:
    pass
os.close(fd)
fd = os.open(folder / "cut", os.O_RDWR | os.O_CREAT)
os.write(fd, b"long")
os.close(fd)
fd = os.open(folder / "cut", os.O_RDWR | os.O_TRUNC)
os.write(fd, b"no")
os.fdatasync(fd)
os.close(fd)
os.mkdir(folder / "inner")
os.rename(folder / "written", folder / "inner" / "moved")
os.link(folder / "appended", folder / "linked")
(folder / "gone").write_text("soon gone")
os.unlink(folder / "gone")
os.mkdir(folder / "empty")
os.rmdir(folder / "empty")
"""
SQLITE = """
import pathlib, sys
from modembank.store.opening import open_owned
opened = open_owned(pathlib.Path(sys.argv[1]), 1)
for number in range(200):
    opened.connection.execute("INSERT INTO routes (spec) VALUES (?)", (f"{number}" * 50,))
    if number % 50 == 0:
        opened.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
__import__("os")._exit(0)
"""


def test_every_way_to_change_a_file_is_recorded(tmp_path):
    recorder = Recorder(tmp_path)
    ran(recorder, WAYS, recorder.watched)
    trace = recorder.read()
    check_complete(recorder.watched, trace)
    disk = Disk(trace.operations, str(recorder.watched))
    disk.advance(len(trace))
    found = disk.whole()
    assert found["placed"] == bytes(10) + b"by seek" + bytes(3) + b"in two pieces" + bytes(967) + b"behin"
    assert found["linked"] == found["appended"] == b"one,two"
    assert (found["inner/moved"], found["cut"]) == (b"written at once", b"no")
    assert {one.kind for one in trace.operations} == set(Kind)


def test_a_recording_with_a_hole_is_refused(tmp_path):
    recorder = Recorder(tmp_path)
    ran(recorder, WAYS, recorder.watched)
    (recorder.watched / "unseen").write_text("not through the recorder")
    (recorder.watched / "linked").write_text("two,one")
    with pytest.raises(AssertionError, match=r"'unseen'.* differ"):
        check_complete(recorder.watched, recorder.read())


def test_sqlite_goes_through_it_and_nothing_acknowledged_is_unsynced(tmp_path):
    """This Python's SQLite writes log, database and journal by the calls that are recorded, and none else."""
    recorder = Recorder(tmp_path)
    ran(recorder, SQLITE, recorder.watched / DATABASE)
    trace = recorder.read()
    check_complete(recorder.watched, trace)
    written = {one.path.rpartition("/")[2] for one in trace.operations if one.kind is Kind.OPEN}
    assert {DATABASE, f"{DATABASE}-wal"} <= written
    assert not any(name.endswith("-shm") for name in written)
    disk = Disk(trace.operations, str(recorder.watched))
    disk.advance(len(trace))
    survives = disk.image(Cut(0, len(trace), Fate.NOTHING, Folders.STRICT))
    assert survives[f"{DATABASE}-wal"] == disk.whole()[f"{DATABASE}-wal"]


def test_a_trace_that_still_grows_is_read_up_to_its_last_whole_record(tmp_path):
    recorder = Recorder(tmp_path)
    ran(recorder, WAYS, recorder.watched)
    octets = recorder.trace.read_bytes()
    whole, cut = Trace(octets), Trace(octets[:-1])
    assert cut.operations == whole.operations[:-1]
    assert (whole.place(0), whole.place(len(octets) - 1), whole.place(len(octets))) == (0, len(cut), len(whole))
