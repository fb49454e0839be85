"""What is kept beside the database outlives a power cut too: the data folder itself, and which PINs failed."""

import itertools

import pytest

from modembank.durable import replace_text, sync
from modembank.modem.pin import PinRecord
from powercut.children import ran
from powercut.disk import Cut, Disk, Fate, Folders, lay_out
from powercut.recording import Recorder

pytestmark = pytest.mark.native

FOLDER = """
import pathlib, sys
from modembankd.data_folder import make_data_folder
make_data_folder(pathlib.Path(sys.argv[1]))
"""
PIN = """
import pathlib, sys
from modembank.modem.pin import PinRecord
for pin in ("1111", "2222"):
    PinRecord(pathlib.Path(sys.argv[1])).trying("card", pin)
"""


def image_at_the_end(recorder, folders, fate=Fate.NOTHING):
    trace = recorder.read()
    disk = Disk(trace.operations, str(recorder.watched))
    disk.advance(len(trace))
    return disk.image(Cut(0, len(trace), fate, folders))


@pytest.mark.parametrize("folders", Folders)
def test_story_33_the_data_folder_stays(tmp_path, folders):
    recorder = Recorder(tmp_path)
    ran(recorder, FOLDER, recorder.watched / "deep" / "down" / "data")
    assert {"deep", "deep/down", "deep/down/data"} <= set(image_at_the_end(recorder, folders))


def test_a_data_folder_that_is_there_already_stays_too(tmp_path):
    """The start that made it may have been killed before it could be synced."""
    recorder = Recorder(tmp_path)
    ran(recorder, "import os, sys; os.mkdir(sys.argv[1])", recorder.watched / "data")
    assert "data" not in image_at_the_end(recorder, Folders.STRICT)
    ran(recorder, FOLDER, recorder.watched / "data")
    assert "data" in image_at_the_end(recorder, Folders.STRICT)


def test_story_18_a_pin_that_was_tried_stays_noted_whenever_the_power_goes(tmp_path):
    recorder = Recorder(tmp_path)
    ran(recorder, PIN, recorder.watched / "failed-pins.json")
    trace = recorder.read()
    disk, known = Disk(trace.operations, str(recorder.watched)), []
    for at in range(len(trace) + 1):
        disk.advance(at)
        for fate, folders in itertools.product(Fate, Folders):
            folder = tmp_path / "images" / f"{at}-{fate}-{folders}"
            lay_out(disk.image(Cut(0, at, fate, folders)), folder)
            record = PinRecord(folder / "failed-pins.json")
            known.append((record.failed("card", "1111"), record.failed("card", "2222")))
    assert set(known) == {(False, False), (True, False), (True, True)}  # never the second without the first
    assert set(known[-len(Fate) * len(Folders) :]) == {(True, True)}


def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path):
    file = tmp_path / "note.json"
    replace_text(file, "old")
    (tmp_path / "note.new").mkdir()
    with pytest.raises(OSError, match=r"note\.new"):
        replace_text(file, "new")
    assert file.read_text() == "old"


def test_what_is_not_there_cannot_be_synced(tmp_path):
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "nothing")
