"""Where everything is on the disk, and that sfdisk makes of it what was meant."""

import itertools
import json
import subprocess

import pytest

import layout
from disk import assemble
from recipe import TREE

TABLES = ("gpt", "dos")


@pytest.mark.parametrize("table", TABLES)
def test_partitions_follow_each_other_without_touching(table):
    parts = layout.partitions(table)
    assert parts[0].start_mib >= 1
    for before, after in itertools.pairwise(parts):
        assert before.start_mib + before.size_mib <= after.start_mib
    assert parts[-1].start_mib + parts[-1].size_mib <= layout.disk_mib(table)


@pytest.mark.parametrize("table", TABLES)
def test_the_image_fits_on_a_stick_of_two_gigabytes(table):
    assert layout.disk_mib(table) * layout.MIB <= 2_000_000_000


def test_both_slots_are_equal():
    a, b = layout.partitions("gpt")[1:3]
    assert (a.name, b.name) == ("system-a", "system-b")
    assert a.size_mib == b.size_mib


@pytest.mark.disks
@pytest.mark.parametrize("table", TABLES)
def test_a_disk_has_the_table_and_the_contents(table, tmp_path):
    content = tmp_path / "slot"
    content.write_bytes(b"slot" + bytes(3 * layout.MIB) + b"end")
    image = tmp_path / "disk"
    assemble(image, table, {"system-a": content}, epoch=1)
    made = json.loads(subprocess.run(["/sbin/sfdisk", "--json", image], check=True, capture_output=True).stdout)
    meant = {part.number: (part.start_mib * 2048, part.size_mib * 2048) for part in layout.partitions(table)}
    found = {
        int(part["node"].removeprefix(str(image))): (part["start"], part["size"])
        for part in made["partitiontable"]["partitions"]
        if part["type"] != "5"
    }
    assert found == meant
    with image.open("rb") as file:
        file.seek(layout.partitions(table)[1].start_mib * layout.MIB)
        assert file.read(content.stat().st_size) == content.read_bytes()
    assert image.stat().st_blocks * 512 < 8 * layout.MIB  # what is empty takes no room


def test_gpt_names_are_those_that_the_box_looks_for(tmp_path):
    script = layout.table_script("gpt")
    assert [line.split('name="')[1].rstrip('"') for line in script.splitlines() if "name=" in line] == [
        "BOOT",
        "system-a",
        "system-b",
        "data",
    ]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_initrd_looks_for_these_identifiers(number):
    found = (TREE / "image/initrd/root.sh").read_text()
    gpt = next(line for line in layout.table_script("gpt").splitlines() if line.startswith(f"{number} :"))
    uuid = gpt.split("uuid=")[1].split(",")[0]
    assert f"by-partuuid/{uuid[:-1]}$1" in found
    assert f"by-partuuid/{layout.MBR_ID:08x}-0$1" in found


@pytest.mark.disks
def test_what_does_not_fit_is_refused(tmp_path):
    content = tmp_path / "large"
    with content.open("wb") as file:
        file.truncate((layout.SLOT_MIB + 1) * layout.MIB)
    with pytest.raises(SystemExit, match="does not fit into the 700 MiB of system-a"):
        assemble(tmp_path / "disk", "gpt", {"system-a": content}, epoch=1)
