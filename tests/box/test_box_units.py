"""The units of first boot and console, judged by systemd's own tools."""

import re

import pytest

from fakes.machines import ROOT, machine, tool

pytestmark = pytest.mark.systemd
OURS = {
    "modembank-begin.service": 2.5,
    "modembank-console.service": 3.0,
    "modembank-console@.service": 3.0,
    "modembank-wifi@.service": 3.5,
}


@pytest.fixture
def root(tmp_path):
    made = machine(tmp_path / "root")
    program = made / "usr/sbin/wpa_supplicant"
    program.parent.mkdir(parents=True, exist_ok=True)
    for each in (program, made / "usr/bin/grep"):
        each.write_text("#!/bin/sh\n")
        each.chmod(0o755)
    return made


def test_systemd_finds_nothing_wrong(root):
    assert tool("systemd-analyze", "verify", f"--root={root}", "--man=no", *OURS) == []


@pytest.mark.parametrize("name", OURS)
def test_s20_exposure(root, name):
    said = tool(
        "systemd-analyze", "security", "--offline=true", f"--root={root}", "--no-pager", "--threshold=100", name
    )
    overall = float(re.search(r"exposure level for \S+: ([\d.]+)", "\n".join(said))[1])
    assert overall <= OURS[name]


def test_the_serial_console_is_the_screen_but_for_where_it_is():
    screen, serial = ((ROOT / f"systemd/box/modembank-console{name}.service").read_text() for name in ("", "@"))
    service = screen.partition("# The set-up code")[2].partition("\n[Install]")[0]
    assert service.strip()
    assert service.strip() in serial


def test_nothing_on_the_console_asks_for_a_password():
    for path in (ROOT / "systemd/box").glob("modembank-console*.service"):
        assert "getty" not in re.search(r"ExecStart=(.*)", path.read_text())[1]
