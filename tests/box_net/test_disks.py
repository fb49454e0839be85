"""What udev tells systemd of disks, on the image, and which devices it is asked about again when a box starts."""

import re
from pathlib import Path

import pytest

from fakes.namespaces import FILES
from fakes.udev import Udev

pytestmark = pytest.mark.systemd
RULE = FILES / "usr/lib/udev/rules.d/99-zz-modembank-disk.rules"
TRIGGER = FILES / "etc/systemd/system/systemd-udev-trigger.service.d/50-modembank.conf"
DEBIANS = Path("/usr/lib/udev/rules.d")
# image/layout.py: GPT on a PC, MBR on a Raspberry Pi.
GPT = "6d6f6465-6d62-4e6b-8000-00000000000"
MBR = "6d6f6465"


@pytest.fixture
def udev(tmp_path):
    """With the one line of systemd's own rules that ours has to come after; a list of no tags is shown as it was."""
    tags = tmp_path / "99-systemd.rules"
    tags.write_text('SUBSYSTEM=="block", TAG+="systemd", TAG+="another"\n')
    return Udev(tmp_path / "bus", rules=[tags, RULE])


@pytest.fixture(autouse=True)
def folder(tmp_path):
    (tmp_path / "bus").mkdir()


def told_systemd(udev, path):
    return ":systemd:" in udev.test(path).properties.get("CURRENT_TAGS", "")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_partitions_of_a_pcs_own_disk_are_not_told(udev, number):
    path = udev.disk(f"sda{number}", ID_PART_TABLE_UUID=f"{GPT}0", ID_PART_ENTRY_UUID=f"{GPT}{number}")
    assert not told_systemd(udev, path)


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_nor_are_those_of_a_raspberrys_card(udev, number):
    path = udev.disk(f"mmcblk0p{number}", "mmc", ID_PART_TABLE_UUID=MBR, ID_PART_ENTRY_UUID=f"{MBR}-0{number}")
    assert not told_systemd(udev, path)


@pytest.mark.parametrize(("name", "table"), [("sda", f"{GPT}0"), ("mmcblk0", MBR)])
def test_nor_is_the_disk_itself(udev, name, table):
    assert not told_systemd(udev, udev.disk(name, ID_PART_TABLE_UUID=table))


def test_nor_is_the_root_that_the_initrd_mounted(udev):
    assert not told_systemd(udev, udev.disk("loop0", "virtual", ID_FS_TYPE="squashfs"))


@pytest.mark.parametrize(
    "properties",
    [
        {"ID_PART_TABLE_UUID": "0b1dc6f1-7f4e-4f2e-9d3a-0d3d7a0c4f10", "ID_PART_ENTRY_UUID": "6d6f6466-01"},
        {"ID_PART_TABLE_UUID": "c3072e18", "ID_PART_ENTRY_UUID": "c3072e18-01"},
        {"ID_FS_LABEL": "UPDATE"},
        {},
    ],
)
def test_a_stick_is_told_so_that_an_update_on_it_is_found(udev, properties):
    """The unit that looks at it is started by systemd, by what the device wants."""
    assert told_systemd(udev, udev.disk("sdb1", "usb", **properties))


def left_out():
    return re.findall(r"--subsystem-nomatch=(\S+)", TRIGGER.read_text())


def test_of_what_is_left_out_of_the_start_no_rule_speaks():
    """But of modules, of which one is asked about by its name: the polling of card readers is switched on there."""
    spoken = {}
    for path in (*DEBIANS.glob("*.rules"), *(FILES / "usr/lib/udev/rules.d").glob("*.rules")):
        for line in path.read_text("utf-8").splitlines():
            for found in re.findall(r'SUBSYSTEM=="([^"]+)"', line):
                for one in found.split("|"):
                    spoken.setdefault(one, set()).add(line.partition("KERNEL==")[2].partition(",")[0] or path.name)
    assert {"net", "tty", "usb", "block", "module"} <= set(spoken), "rules were read"
    patterns = [pattern.replace("*", ".*") for pattern in left_out()]
    left = {name: spoken[name] for name in spoken if any(re.fullmatch(pattern, name) for pattern in patterns)}
    # On the image the file systems are masked, there is no parallel port, and no memory is plugged in.
    unneeded = {'"fuse"', '"configfs"', '"parport_pc"', "70-memory.rules"}
    assert {name: rest for name, lines in left.items() if (rest := lines - unneeded)} == {"module": {'"block"'}}
    assert "--subsystem-match=module --sysname-match=block" in TRIGGER.read_text()


def test_what_a_modem_a_card_or_a_disk_needs_is_asked_about():
    for name in (
        "usb",
        "usb-serial",
        "tty",
        "net",
        "block",
        "pci",
        "platform",
        "acpi",
        "virtio",
        "mmc",
        "input",
        "hwmon",
    ):
        assert not any(re.fullmatch(pattern.replace("*", ".*"), name) for pattern in left_out()), name


def test_cards_and_ports_come_before_all_else():
    first = re.search(r"--prioritized-subsystem=(\S+)", TRIGGER.read_text())[1].split(",")
    assert first[:2] == ["net", "tty"]
