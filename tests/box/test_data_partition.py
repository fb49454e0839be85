"""The data partition in the initrd, on real tables and file systems: grown, repaired, set aside; never a stop."""

import subprocess
from pathlib import Path

import pytest

from fakes.disks import DATA, MIB, SCRIPT, Disk, power_cut_at, run

pytestmark = pytest.mark.root
KINDS = ["gpt", "mbr"]
WRITE = "echo canary-42 >data/modembank/note && sync -f data"
READ = "cat data/modembank/note"


@pytest.fixture(params=KINDS)
def disk(tmp_path, request):
    return Disk(tmp_path, request.param)


@pytest.fixture(params=KINDS)
def large(tmp_path, request):
    """One that was started once, on 3 GiB."""
    made = Disk(tmp_path, request.param)
    made.resize(3072)
    made.start(WRITE)
    return made


def ruin(disk, number=None):
    """No copy of the superblock and no group is left."""
    number = number or DATA[disk.kind]
    with disk.partition(number) as device:
        size = int(run("blockdev", "--getsize64", device))
        for start in range(0, size, 128 * MIB):
            run(
                "dd", "if=/dev/zero", f"of={device}", "bs=1M", f"seek={start // MIB}", "count=4", "conv=notrunc,nocreat"
            )


def test_the_script_is_plain_sh():
    run("shellcheck", "--shell=sh", SCRIPT)


def test_a_fresh_image_grows_to_its_disk_and_stays_so(disk):
    disk.resize(512)
    first = disk.start(WRITE)
    assert (first.state["state"], first.state["grown"], first.state["problems"]) == ("clean", True, [])
    assert first.state["size_bytes"] > 425 * MIB
    second = disk.start(f"{READ}; df -k --output=size data | tail -n 1")
    assert (second.state["state"], second.state["grown"]) == ("clean", False)
    note, blocks = second.shown.split()
    assert note == "canary-42"
    assert int(blocks) > 400 * 1024
    assert "No errors detected" in run("sfdisk", "--verify", disk.path)


def test_the_other_partitions_are_what_they_were(disk):
    before = run("sfdisk", "-d", disk.path)
    disk.resize(512)
    disk.start()
    after = run("sfdisk", "-d", disk.path)
    same = [line for line in before.splitlines() if "img1 " in line or "img2 " in line or "img3 " in line]
    assert len(same) == 3
    assert all(line in after for line in same)
    assert next(line for line in before.splitlines() if "label-id" in line) in after


def test_what_is_kept_and_what_is_not(disk):
    disk.start(
        "for each in var/lib/modembank var/backups/modembank var/log/journal var/lib/systemd var/lib/rauc; do"
        " echo $each >$each/kept; done; echo gone >etc/gone; echo gone >var/lib/gone; sync -f data"
    )
    shown = disk.start(
        "cat var/lib/modembank/kept var/backups/modembank/kept var/log/journal/kept var/lib/systemd/kept"
        " var/lib/rauc/kept; ls etc var/lib; stat -c %a data/modembank data/backups; echo new >etc/hostname"
    ).shown
    assert shown.split() == [
        *("var/lib/modembank", "var/backups/modembank", "var/log/journal", "var/lib/systemd", "var/lib/rauc"),
        *("etc:", "machine-id", "var/lib:", "modembank", "rauc", "systemd", "700", "700"),
    ]


def test_the_machine_has_one_id_for_good(disk):
    first = disk.start("cat etc/machine-id").shown.strip()
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")
    assert disk.start("cat etc/machine-id").shown.strip() == first
    again = disk.start("echo torn >data/machine-id").state
    assert again["state"] == "clean"
    assert disk.start("cat etc/machine-id").shown.strip() not in {first, "torn"}


def test_a_journal_that_was_not_played_is_nothing_to_tell_of(disk, tmp_path):
    cut = tmp_path / "cut.img"
    disk.start(f"{WRITE}; cp --sparse=always {disk.path} {cut}")
    assert "needs_recovery" in run("dumpe2fs", "-h", f"{cut}?offset={_offset(disk)}")
    cut.rename(disk.path)
    started = disk.start(READ)
    assert (started.state["state"], started.shown.strip()) == ("clean", "canary-42")


def _offset(disk):
    name = f"{disk.path}{DATA[disk.kind]}"
    (line,) = [line for line in run("sfdisk", "-d", disk.path).splitlines() if line.startswith(f"{name} ")]
    return int(line.split("start=")[1].split(",")[0]) * 512


def test_a_broken_superblock_is_taken_from_its_copy(large):
    large.damage(DATA[large.kind], 0, 8192)
    started = large.start(READ)
    assert started.shown.strip() == "canary-42"
    assert started.state["state"] == "repaired"
    assert started.state["detail"]
    later = large.start(READ).state
    assert (later["state"], later["last_trouble"]["state"]) == ("clean", "repaired")


def _grown_while_mounted(disk):
    """Let the copies of the superblock say that the journal is to be played, as those from growing do."""
    with disk.partition(DATA[disk.kind]) as device, Path(device).open("r+b") as file:
        for group in (1, 3, 5, 7, 9):
            file.seek(group * 32768 * 4096)
            copy = bytearray(file.read(1024))
            if copy[0x38:0x3A] == b"\x53\xef":
                copy[0x60] |= 4
                copy[0x3FC:] = _crc32c(copy[:0x3FC]).to_bytes(4, "little")
                file.seek(-1024, 1)
                file.write(copy)


def _crc32c(octets):
    """CRC-32C without the last inversion, as the superblock has it (Linux, fs/ext4/super.c)."""
    value = 0xFFFFFFFF
    for octet in octets:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ 0x82F63B78 * (value & 1)
    return value


def test_a_superblock_is_taken_from_a_copy_that_was_made_while_it_grew(large):
    """For e2fsck that is work for two times."""
    _grown_while_mounted(large)
    large.damage(DATA[large.kind], 0, 8192)
    started = large.start(READ)
    assert (started.state["state"], started.shown.strip()) == ("repaired", "canary-42")


def test_broken_folders_are_repaired(disk):
    disk.resize(512)
    disk.start(f"mkdir data/modembank/deep; echo x >data/modembank/deep/file; {WRITE}")
    with disk.partition(DATA[disk.kind]) as device:
        run("debugfs", "-w", "-R", "clri /modembank/deep", device)
        run("debugfs", "-w", "-R", "ssv state 2", device)  # errors were seen: it is looked at closely
    started = disk.start(READ)
    assert (started.state["state"], started.shown.strip()) == ("repaired", "canary-42")
    assert "1 in lost+found" in started.state["detail"]


def test_a_ruin_is_set_aside_and_the_box_starts_anew(large):
    ruin(large)
    started = large.start(f"ls data/modembank; {WRITE}")
    assert (started.state["state"], started.state["problems"], started.shown.strip()) == ("set_aside", [], "")
    assert started.state["aside"].endswith(f"p{DATA[large.kind]}")
    assert started.state["device"].endswith(f"p{DATA[large.kind] + 1}")
    assert started.state["size_bytes"] > 1400 * MIB
    later = large.start(READ)
    assert (later.state["state"], later.shown.strip()) == ("clean", "canary-42")
    assert later.state["aside"]
    assert later.state["last_trouble"]["state"] == "set_aside"
    assert "No errors detected" in run("sfdisk", "--verify", large.path)


def test_of_what_is_set_aside_nothing_is_written(large):
    with large.partition(DATA[large.kind]) as device, device.open("r+b") as file:
        file.seek(777 * MIB)
        file.write(b"what people look for")
    ruin(large)
    large.start()
    large.start()
    with large.partition(DATA[large.kind]) as device, device.open("rb") as file:
        file.seek(777 * MIB)
        assert file.read(20) == b"what people look for"
        file.seek(0)
        assert not file.read(4 * MIB).strip(b"\0")


def test_the_second_ruin_is_made_anew(large):
    ruin(large)
    large.start()
    ruin(large, DATA[large.kind] + 1)
    assert large.start().state["state"] == "made_new"
    later = large.start().state
    assert (later["state"], later["last_trouble"]["state"]) == ("clean", "made_new")


def test_on_a_small_disk_a_ruin_is_made_anew(disk):
    disk.start(WRITE)
    disk.damage(DATA[disk.kind], 0, 64 * MIB, garbage=True)
    started = disk.start("ls data/modembank")
    assert (started.state["state"], started.shown.strip()) == ("made_new", "")
    assert "uperblock" in started.state["detail"] or "magic" in started.state["detail"]


def test_a_partition_that_is_not_there_is_made_where_there_is_room(disk):
    for number in {DATA[disk.kind], 4}:
        subprocess.run(["sfdisk", "-q", "--delete", disk.path, str(number)], check=False, capture_output=True)
    disk.resize(512)
    assert disk.start(WRITE).state["state"] == "made_new"
    assert disk.start(READ).shown.strip() == "canary-42"


def test_without_room_for_a_partition_nothing_is_kept(disk):
    for number in {DATA[disk.kind], 4}:
        subprocess.run(["sfdisk", "-q", "--delete", disk.path, str(number)], check=False, capture_output=True)
    run("sfdisk", "-q", "--append", disk.path, input="size=+, type=c" if disk.kind == "mbr" else "size=+")
    table = run("sfdisk", "-d", disk.path)
    started = disk.start(f"{WRITE}; stat -f -c %T data")
    assert (started.state["state"], started.shown.strip()) == ("in_memory", "tmpfs")
    assert "no room" in started.state["detail"]
    assert run("sfdisk", "-d", disk.path) == table


def test_a_table_that_cannot_be_read_is_left_alone(disk):
    with disk.path.open("r+b") as file:
        file.write(bytes(MIB))
        file.seek(-MIB, 2)
        file.write(bytes(MIB))
    before = disk.path.read_bytes()
    started = disk.start(WRITE)
    assert started.state["state"] == "in_memory"
    assert "partition table" in started.state["detail"]
    assert disk.path.read_bytes() == before


def test_a_gpt_of_which_only_the_copy_is_left_is_mended_when_it_grows(tmp_path):
    disk = Disk(tmp_path, "gpt")
    with disk.path.open("r+b") as file:
        file.seek(512)
        file.write(bytes(512))
    assert disk.start(WRITE).state["state"] == "clean"
    disk.resize(512)
    # With the end elsewhere the copy is found no more either: nothing may be written then.
    started = disk.start()
    assert (started.state["state"], "partition table" in started.state["detail"]) == ("in_memory", True)


def test_a_disk_that_cannot_be_written_still_starts(disk):
    disk.start(WRITE)
    started = disk.start("stat -f -c %T data", read_only=True)
    assert (started.state["state"], started.shown.strip()) == ("in_memory", "tmpfs")
    assert disk.start(READ).shown.strip() == "canary-42"


def test_a_disk_that_is_not_there(tmp_path, disk):
    started = disk.start("cat etc/machine-id", tools={"sfdisk": "exit 1", "blockdev": "exit 1"})
    assert started.state["state"] == "in_memory"
    assert len(started.shown.strip()) == 32


@pytest.mark.parametrize(
    "tools",
    [
        {"sfdisk": "echo 'label: gpt'; echo '/dev/x : start= , size= , name=\"data\"'"},
        {"sfdisk": "echo 'label: dos'; echo \"$3\"; exit 1"},
        {"blockdev": "echo nonsense"},
        {"e2fsck": "exit 127"},
        {"e2fsck": "kill -9 $$"},
        {"mke2fs": "exit 1", "e2fsck": "exit 8"},
        {"resize2fs": "exit 1"},
        {"partx": "exit 1"},
        {"stat": "exit 1", "date": "exit 1", "sync": "exit 1"},
    ],
    ids="-".join,
)
def test_tools_that_fail_or_lie_stop_nothing(tmp_path, tools):
    disk = Disk(tmp_path, "gpt")
    disk.start(WRITE)
    disk.resize(512)
    started = disk.start("touch etc/x var/x; cat etc/machine-id", tools=tools)
    assert len(started.shown.strip()) == 32
    assert started.state["state"] in {"clean", "made_new", "in_memory"}


def test_a_check_that_cannot_run_destroys_nothing(disk):
    disk.start(WRITE)
    started = disk.start(READ, tools={"e2fsck": "exit 127"})
    assert started.shown.strip() == "canary-42"
    assert started.state["problems"] == ["the data partition could not be checked"]


@pytest.mark.parametrize("name", ["factory-reset", "factory-reset.txt"])
def test_s24_a_reset_leaves_nothing_but_the_first_boot_file(disk, name):
    disk.resize(256)
    disk.start(WRITE)
    assert b"canary-42" in disk.path.read_bytes()
    disk.put_on_boot("box.toml", "")
    disk.put_on_boot(name, "")
    first = disk.start("ls data/modembank; cat etc/machine-id")
    assert (first.state["state"], first.state["reset"], first.state["problems"]) == ("clean", "data", [])
    assert len(first.shown.split()) == 1
    assert b"canary-42" not in disk.path.read_bytes()
    assert disk.on_boot() == {"box.toml"}
    assert disk.start().state["reset"] == ""


def test_a_reset_of_everything_takes_the_first_boot_file_too(disk):
    disk.put_on_boot("box.toml", "")
    disk.put_on_boot("factory-reset", "Everything\r\n")
    assert disk.start().state["reset"] == "everything"
    assert disk.on_boot() == set()


def test_s24_where_nothing_can_be_discarded_all_is_overwritten(disk):
    disk.resize(256)
    disk.start(WRITE)
    disk.put_on_boot("factory-reset", "")
    started = disk.start(tools={"blkdiscard": "exit 1"})
    assert started.state["reset"] == "data"
    assert "overwriting" in started.said
    assert b"canary-42" not in disk.path.read_bytes()


def test_s24_a_disk_that_takes_discarding_for_advice_is_overwritten(disk):
    disk.resize(256)
    disk.start(WRITE)
    disk.put_on_boot("factory-reset", "")
    assert "overwriting" in disk.start(tools={"blkdiscard": "exit 0"}).said
    assert b"canary-42" not in disk.path.read_bytes()


def test_a_reset_makes_one_partition_again_of_the_data_and_what_was_set_aside(large):
    ruin(large)
    assert large.start(WRITE).state["state"] == "set_aside"
    large.put_on_boot("factory-reset", "")
    started = large.start()
    assert (started.state["state"], started.state["reset"], started.state["aside"]) == ("clean", "data", "")
    assert started.state["size_bytes"] > 2900 * MIB
    assert started.state["problems"] == []


def test_a_reset_heals_a_ruin(disk):
    disk.damage(DATA[disk.kind], 0, 64 * MIB, garbage=True)
    disk.put_on_boot("factory-reset", "")
    assert disk.start().state["state"] == "clean"


def test_a_file_that_cannot_be_removed_empties_the_box_only_once(disk):
    disk.put_on_boot("factory-reset", "")
    no_removing = {"rm": 'case "$*" in *factory-reset*) exit 1 ;; esac; exec /bin/rm "$@"'}
    first = disk.start(WRITE, tools=no_removing)
    assert first.state["reset"] == "data"
    assert "could not be removed" in first.state["problems"][0]
    second = disk.start(READ, tools=no_removing)
    assert (second.state["reset"], second.shown.strip()) == ("", "canary-42")
    assert "remove it" in second.state["problems"][0]


def cut_everywhere(disk, tmp_path, then):
    """Cut the power at one step after the other, each time on a disk as ``disk`` is; ``then`` judges the next start."""
    for nth in range(1, 100):
        other = disk.copy(f"cut{nth}")
        cut = other.start(tools=power_cut_at(nth, tmp_path / "calls"), cut=True)
        then(other.start(f"{READ} || true"), other)
        other.path.unlink()
        if cut is not None:
            return nth
    raise AssertionError


def test_the_power_may_go_at_any_step_of_a_reset(tmp_path):
    disk = Disk(tmp_path, "gpt")
    disk.resize(128)
    disk.start(WRITE)
    disk.put_on_boot("factory-reset", "")

    def judge(after, other):
        assert (after.state["state"], after.state["problems"], after.shown) == ("clean", [], "")
        assert other.on_boot() == set()
        assert b"canary-42" not in other.path.read_bytes()

    assert cut_everywhere(disk, tmp_path, judge) > 5


def test_the_power_may_go_at_any_step_of_growing(tmp_path):
    disk = Disk(tmp_path, "mbr")
    disk.start(WRITE)
    disk.resize(256)

    def judge(after, other):
        assert (after.state["state"], after.state["problems"], after.shown) == ("clean", [], "canary-42\n")
        assert after.state["size_bytes"] > 200 * MIB

    assert cut_everywhere(disk, tmp_path, judge) > 5


def test_the_power_may_go_at_any_step_of_setting_aside(tmp_path):
    disk = Disk(tmp_path, "gpt")
    disk.resize(2200)
    disk.start()
    ruin(disk)

    def judge(after, other):
        assert (after.state["state"], after.state["problems"]) in [
            (each, []) for each in ("set_aside", "made_new", "clean")
        ]
        assert after.state["aside"]
        assert 1024 * MIB < after.state["size_bytes"] < 1200 * MIB
        with other.partition(4) as device:
            assert 1024 * MIB < int(run("blockdev", "--getsize64", device)) < 1200 * MIB

    assert cut_everywhere(disk, tmp_path, judge) > 5


@pytest.fixture
def applets(tmp_path):
    """Busybox in the place of the host's programs, as in an initrd, but for what belongs to real file systems."""
    folder = tmp_path / "applets"
    folder.mkdir()
    for name in run("busybox", "--list").split():
        if name not in {"blkdiscard", "mke2fs", "fsck", "unshare", "losetup"}:
            (folder / name).symlink_to("/bin/busybox")
    return folder


def test_busybox_is_enough(tmp_path, applets):
    disk = Disk(tmp_path, "mbr")
    disk.resize(2400)
    assert disk.start(WRITE, applets=applets).state["grown"] is True
    assert disk.start(READ, applets=applets).shown.strip() == "canary-42"
    ruin(disk)
    assert disk.start(applets=applets).state["state"] == "set_aside"
    disk.put_on_boot("factory-reset", "everything")
    last = disk.start(applets=applets).state
    assert (last["state"], last["reset"], last["problems"], last["aside"]) == ("clean", "everything", [], "")
