"""The model of the disk: what a sync holds, and what may become of the rest."""

import itertools

import pytest

from powercut.disk import SECTOR, Cut, Disk, Fate, Folders, put, sectors
from powercut.recording import CREATED, DIRECTORY, Kind, Operation

ROOT = "/box"
FILE = f"{ROOT}/file"


class Script:
    """Operations written down by hand."""

    def __init__(self):
        self.operations = []

    def add(self, kind, handle=0, value=0, path="", data=b""):
        self.operations.append(Operation(len(self.operations), kind, handle, value, path, data))
        return self

    def create(self, handle, path=FILE):
        return self.add(Kind.OPEN, handle, CREATED, path)

    def write(self, handle, data, offset=0):
        return self.add(Kind.WRITE, handle, offset, data=data)

    def cut(self, handle, size):
        return self.add(Kind.TRUNCATE, handle, size)

    def sync(self, handle, begun=None):
        return self.add(Kind.SYNC, handle, len(self.operations) if begun is None else begun)

    def sync_folder(self, path=ROOT, handle=99):
        return self.add(Kind.OPEN, handle, DIRECTORY, path).sync(handle).add(Kind.CLOSE, handle)

    def made(self):
        """A synced file in a synced folder."""
        return self.create(1).write(1, b"old").sync(1).sync_folder()

    def images(self, folders=Folders.STRICT, fate=Fate.CHANCE, seeds=200, *, lies=False):
        disk = Disk(self.operations, ROOT, lies=lies)
        disk.advance(len(self.operations))
        return [disk.image(Cut(seed, len(self.operations), fate, folders)) for seed in range(seeds)]

    def files(self, **options):
        return {image.get("file") for image in self.images(**options)}


def test_what_was_synced_is_always_there():
    script = Script().made()
    assert script.files() == {b"old"}
    assert script.files(fate=Fate.NOTHING) == {b"old"}


def test_what_was_not_is_there_or_not():
    assert Script().made().write(1, b"new").files() == {b"old", b"new"}
    assert Script().made().cut(1, 1).files() == {b"old", b"o"}


def test_a_sync_holds_what_was_written_before_it_began():
    script = Script().made().write(1, b"one")
    begun = len(script.operations)
    script.write(1, b"two").sync(1, begun)
    assert script.files() == {b"one", b"two"}


def test_writes_are_kept_in_any_order():
    script = Script().made().write(1, b"X", 0).write(1, b"Y", 1)
    assert script.files() == {b"old", b"Xld", b"oYd", b"XYd"}


def test_a_write_is_torn_at_sectors():
    old, new = b"o" * SECTOR * 3, b"n" * SECTOR * 3
    script = Script().create(1).write(1, old).sync(1).sync_folder().write(1, new)
    found = {tuple(content[at] for at in range(0, len(content), SECTOR)) for content in script.files()}
    assert found == set(itertools.product(b"on", repeat=3))
    assert all(len(set(content[:SECTOR])) == 1 for content in script.files())


def test_sectors_are_those_of_the_disk_and_not_of_the_write():
    assert [(at, len(octets)) for at, octets in sectors(500, bytes(600))] == [(500, 12), (512, 512), (1024, 76)]
    assert list(sectors(0, b"")) == []


def test_a_file_may_have_grown_without_its_content():
    assert Script().made().write(1, b"!!", 3).files() == {b"old", b"old!!", b"old\0\0"}


def test_a_write_behind_the_end_leaves_zeros_between():
    content = bytearray(b"ab")
    put(content, 4, b"c")
    assert content == b"ab\0\0c"


@pytest.mark.parametrize(
    ("fate", "left"),
    [
        (Fate.NOTHING, b"old"),
        (Fate.EVERYTHING, b"XYZ"),
        (Fate.ONLY_THE_LAST, b"olZ"),
        (Fate.ALL_BUT_THE_FIRST, b"oYZ"),
    ],
)
def test_the_extremes(fate, left):
    script = Script().made().write(1, b"X", 0).write(1, b"Y", 1).write(1, b"Z", 2)
    assert script.files(fate=fate) == {left}


def test_strictly_a_name_is_kept_by_a_sync_of_its_folder_alone():
    script = Script().create(1).write(1, b"new").sync(1)
    assert script.files() == {None, b"new"}
    assert script.sync_folder().files() == {b"new"}


def test_in_ext4_the_sync_of_a_new_file_keeps_its_name_and_all_changes_before():
    script = Script().create(1).create(2, f"{ROOT}/other").write(1, b"new").sync(1)
    assert script.files(folders=Folders.ORDERED) == {b"new"}
    others = {image.get("other") for image in script.images(folders=Folders.ORDERED)}
    assert others == {None, b""}


def test_in_ext4_names_change_in_order():
    script = Script().create(1, f"{ROOT}/one").create(2, f"{ROOT}/two")
    assert {frozenset(image) for image in script.images(folders=Folders.ORDERED)} == {
        frozenset({"."}),
        frozenset({".", "one"}),
        frozenset({".", "one", "two"}),
    }
    assert frozenset({".", "two"}) in {frozenset(image) for image in script.images(folders=Folders.STRICT)}


@pytest.mark.parametrize("folders", Folders)
def test_a_renaming_is_whole_or_not_at_all(folders):
    script = Script().made().create(2, f"{ROOT}/fresh").write(2, b"new").sync(2).sync_folder()
    script.add(Kind.RENAME, path=f"{ROOT}/fresh", data=FILE.encode())
    found = {(image.get("file"), image.get("fresh")) for image in script.images(folders=folders)}
    assert found == {(b"old", b"new"), (b"new", None)}
    script.sync_folder()
    assert script.files(folders=folders) == {b"new"}


@pytest.mark.parametrize("folders", Folders)
def test_a_deleted_file_may_be_back(folders):
    script = Script().made().add(Kind.UNLINK, path=FILE)
    assert script.files(folders=folders) == {b"old", None}
    assert script.sync_folder().files(folders=folders) == {None}


def test_what_comes_after_a_lost_change_of_the_same_name_is_lost_too():
    script = Script().made().add(Kind.UNLINK, path=FILE).create(2).write(2, b"new").sync(2)
    assert script.files() == {b"old", None, b"new"}


@pytest.mark.parametrize("folders", Folders)
def test_a_file_is_lost_with_its_folder(folders):
    inner = f"{ROOT}/inner"
    script = Script().add(Kind.MKDIR, path=inner).create(1, f"{inner}/file").write(1, b"new").sync(1).sync_folder(inner)
    names = {frozenset(image) for image in script.images(folders=folders)}
    whole = frozenset({".", "inner", "inner/file"})
    assert names == ({whole} if folders is Folders.ORDERED else {whole, frozenset({"."})})


def test_a_disk_that_lies_keeps_nothing_for_sure():
    assert Script().made().files(lies=True) >= {None, b"old", b""}


def test_an_unknown_file_is_an_incomplete_recording():
    script = Script().add(Kind.OPEN, 1, 0, FILE)
    with pytest.raises(AssertionError, match="was there before the recording"):
        script.images()


def test_a_cut_is_the_same_every_time():
    script = Script().made()
    for place in range(20):
        script.write(1, b"later", place * 100)
    assert script.images(seeds=30) == script.images(seeds=30)
    assert len(script.files()) > 20
    assert [Cut.of(7, at) for at in range(50)] == [Cut.of(7, at) for at in range(50)]
    assert {Cut.of(7, at).fate for at in range(50)} == set(Fate)
