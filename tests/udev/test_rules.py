"""The rules as files: they are what the table says, and udev understands every line."""

import re
import runpy
import subprocess

import pytest

from fakes.namespaces import FILES
from fakes.udev import RULES, Udev

pytestmark = pytest.mark.systemd
TOOL = RULES.parent / "tools" / "udev_roles.py"
COMPLAINT = re.compile(
    r"(?i)[^/\s]+\.rules:\d+:? .*(invalid|unknown|ignor|unexpected|fail|missing|must|no matching|no effect|assuming).*"
)


def complaints(folder, paths):
    """What udev has against rules: its own checker from systemd 254 on, else what it says as it reads them."""
    if b"verify" in subprocess.run(["udevadm", "--help"], capture_output=True, check=True).stdout:
        command = ["udevadm", "verify", "--no-summary", "--resolve-names=never", *paths]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        return (run.stdout + run.stderr).splitlines() if run.returncode else []
    udev = Udev(folder, rules=list(paths))
    output = udev.test(udev.plug("1-2", "2c7c:0125")).output
    ours = {path.name for path in paths}
    found = (line.strip() for line in output.splitlines() if COMPLAINT.search(line))
    return [line for line in found if any(name in line for name in ours)]


def test_udev_understands_every_line(tmp_path):
    of_the_image = sorted((FILES / "usr/lib/udev/rules.d").glob("*.rules"))
    assert of_the_image
    assert complaints(tmp_path, [*sorted(RULES.glob("*.rules")), *of_the_image]) == []


@pytest.mark.parametrize(
    "line",
    ['SUBSISTEM=="usb", MODE="0660"', 'SUBSYSTEM=="usb" MODE=', 'SUBSYSTEM=="usb", GOTO="nowhere"', 'MODE+="nought"'],
)
def test_a_wrong_line_is_found(tmp_path, line):
    rule = tmp_path / "99-wrong.rules"
    rule.write_text(line + "\n")
    assert complaints(tmp_path, [rule])


def test_the_roles_are_those_of_the_table():
    tool = runpy.run_path(str(TOOL))
    assert tool["RULES"].read_text("utf-8") == tool["rules"](tool["TABLE"].read_text("utf-8"))


def test_what_a_row_names_first_wins():
    roles = runpy.run_path(str(TOOL))["roles"]
    assert roles("02", "00/02", "00:QCDM,0a:AT_PPP") == {"00": "second", "02": "at", "0a": "ppp"}
    assert roles("-", "-", "-") == {}
