"""The units and the rule of updates, judged by systemd's and udev's own tools."""

import re

import pytest

from fakes.machines import ROOT, machine, tool
from fakes.udev import Udev

pytestmark = pytest.mark.systemd
UNITS = (
    "modembank-update.path",
    "modembank-update.service",
    "modembank-stick@sda1.service",
    "modembank-fetch-update.service",
    "modembank-fetch-update.timer",
    "modembank-trial.service",
    "modembank-trial-daemon.service",
    "modembank-good.service",
)
STICK = {"ID_BUS": "usb", "ID_FS_USAGE": "filesystem", "ID_FS_TYPE": "vfat", "ID_PART_ENTRY_UUID": "c3072e18-01"}


@pytest.fixture
def root(tmp_path):
    return machine(tmp_path / "root")


def test_systemd_finds_nothing_wrong(root):
    assert tool("systemd-analyze", "verify", f"--root={root}", "--man=no", *UNITS) == []


def test_s20_the_daemon_on_trial_is_in_no_wider_sandbox_than_at_work(root):
    def exposure(name):
        words = ["systemd-analyze", "security", "--offline=true", f"--root={root}", "--no-pager", "--threshold=100"]
        return float(re.search(r"exposure level for \S+: ([\d.]+)", "\n".join(tool(*words, name)))[1])

    assert exposure("modembank-trial-daemon.service") <= exposure("modembankd.service")


def test_the_trial_comes_before_the_daemon_and_does_not_hold_it_back_when_it_fails():
    text = (ROOT / "systemd/box/modembank-trial.service").read_text()
    assert "modembankd.service" in re.search(r"(?m)^Before=(.*)$", text)[1].split()
    daemon = (ROOT / "systemd/modembankd.service").read_text()
    assert "modembank-trial" not in daemon


@pytest.mark.parametrize("name", ["trial", "certificate-first"])
def test_what_waits_for_a_unit_that_starts_others_is_no_part_of_what_those_others_wait_for(name):
    """They start units that come after basic.target: did that wait for them, nothing would ever go on."""
    text = (ROOT / f"systemd/box/modembank-{name}.service").read_text()
    waiting = {unit for line in re.findall(r"(?m)^Before=(.*)$", text) for unit in line.split()} - {"shutdown.target"}
    places = {
        "modembankd.service": "image/files/etc/systemd/system/modembankd.service.d/50-modembank.conf",
        "modembank-update.path": "systemd/box/modembank-update.path",
    }
    for unit in (f"modembank-{name}.service", *waiting):
        place = places.get(unit, f"systemd/box/{unit}")
        assert "DefaultDependencies=no" in (ROOT / place).read_text().splitlines(), unit


def wants(tmp_path, **properties):
    udev = Udev(tmp_path)
    path = "/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/host0/target0:0:0/0:0:0:0/block/sda/sda1"
    udev._add(path, "block", DEVTYPE="partition", DEVNAME="/dev/sda1", **STICK | properties)
    return udev.test(f"/sys{path}").properties.get("SYSTEMD_WANTS", "")


@pytest.mark.parametrize("kind", ["vfat", "exfat", "ext4"])
def test_a_file_system_on_a_stick_is_looked_at(tmp_path, kind):
    assert wants(tmp_path, ID_FS_TYPE=kind) == "modembank-stick@sda1.service"


@pytest.mark.parametrize(
    "other",
    [
        {"ID_FS_TYPE": "ntfs"},
        {"ID_FS_TYPE": "swap", "ID_FS_USAGE": "other"},
        {"ID_BUS": "ata"},
        {"ID_PART_ENTRY_UUID": "6d6f6465-02"},
        {"ID_PART_ENTRY_UUID": "6d6f6465-6d62-4e6b-8000-000000000001"},
    ],
)
def test_nothing_else_is_and_not_the_disk_of_the_box_itself(tmp_path, other):
    assert wants(tmp_path, **other) == ""
