"""The console: 80 by 24 plain letters, nothing that moves the cursor, drawn when something changed."""

import os
import pty
import re
import subprocess
import sys
import threading

import pytest

from fakes.disks import SCRIPT
from fakes.machines import ROOT
from modembank.accounts import first_start
from modembank_box.cli import main
from modembank_box.console import facts as gathered
from modembank_box.console.facts import Facts, Gatherer, addresses
from modembank_box.console.screen import DATA, HEIGHT, WIDTH, drawn, page
from modembank_box.places import Places
from modembank_box.states import write_state

FIB = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 192.168.1.0
        /24 link UNICAST
     |-- 192.168.1.20
        /32 host LOCAL
     |-- 192.168.1.255
        /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
Local:
     |-- 192.168.1.20
        /32 host LOCAL
     |-- 169.254.7.7
        /32 host LOCAL
"""
SIXTH = """\
00000000000000000000000000000001 01 80 10 80       lo
fe800000000000000000000000000020 02 40 20 80     eth0
fd000000000000000000000000000020 02 40 00 80     eth0
"""
FINGERPRINT = ":".join(f"{each:02X}" for each in range(32))
WELL = Facts(
    name="ward-7",
    addresses=("192.168.1.20", "fd00::20"),
    service="active",
    status="7 of 8 modems can send (1 searching)",
    release={"version": "1.2.0", "slot": "a"},
    data={"state": "clean"},
    certificate={"fingerprint": FINGERPRINT, "problem": ""},
)


def but(**more):
    return Facts(**{name: getattr(WELL, name) for name in Facts.__dataclass_fields__} | more)


def text(facts):
    return " ".join(" ".join(page(facts)).split())


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The files of a machine, and a systemd that says what ``said`` holds."""
    places = Places(tmp_path)
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/fib_trie").write_text(FIB)
    (tmp_path / "proc/net/if_inet6").write_text(SIXTH)
    places.daemon.mkdir(parents=True)
    said = {
        "systemctl": "ActiveState=active\nStatusText=2 of 2 modems can send\n",
        "modembank": "AAAA-BBBB\n",
        "asked": 0,
    }

    def answer(*command, user=None):
        if command[0] == "modembank":
            assert (command, user) == (("modembank", "setup-code"), "modembank")
            said["asked"] += 1
        return said[command[0]]

    monkeypatch.setattr(gathered, "_said", answer)
    return places, said


def test_a_box_that_is_well():
    lines = page(WELL)
    assert lines[0] == f" Modembank 1.2.0 (system A){'ward-7':>52}"
    assert lines[2:5] == [
        " Pages          https://ward-7.local",
        "                https://192.168.1.20",
        "                https://[fd00::20]",
    ]
    assert FINGERPRINT in "".join(each.strip() for each in lines[6:8]).replace("0F10", "0F:10")
    assert " Modems         7 of 8 modems can send (1 searching)" in lines
    assert "!" not in text(WELL)
    assert "Set-up" not in text(WELL)


def test_the_set_up_code_is_there_until_there_is_an_admin():
    assert "Set-up code ABCD-EFGH" in text(but(setup_code="ABCD-EFGH"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"addresses": ()}, "no address yet"),
        ({"service": "activating", "status": ""}, "The service is starting"),
        ({"service": "failed", "status": ""}, "The service failed"),
        ({"service": "active", "status": ""}, "Modems running"),
        ({"clock_is_set": False}, "! The time is not known"),
        ({"data": {"state": "repaired", "detail": "bad block"}}, "has been repaired: bad block."),
        ({"data": {"state": "set_aside", "detail": "x", "aside": "/dev/vda4"}}, "set aside as /dev/vda4"),
        ({"data": {"state": "made_new", "detail": "x"}}, "with an empty one"),
        ({"data": {"state": "in_memory", "detail": "no disk"}}, "over the next power cut: no disk."),
        ({"data": {"state": "of_tomorrow"}}, "The data partition: of_tomorrow."),
        ({"data": {"state": "clean", "reset": "data"}}, "! The box was reset"),
        ({"data": {"state": "clean", "problems": ["/etc cannot be written"]}}, "! /etc cannot be written."),
        (
            {"data": {"state": "clean", "last_trouble": {"state": "made_new", "detail": "x", "at": "2026-01-01"}}},
            "! At an earlier start (2026-01-01): The data partition could not be used (x).",
        ),
        (
            {"personal": {"file": "box.toml.txt", "mistakes": [{"line": 3, "field": "region", "reason": "is odd"}]}},
            "! box.toml.txt line 3: region is odd.",
        ),
        ({"personal": {"mistakes": [{"line": 0, "field": "", "reason": "is no TOML"}]}}, "! box.toml: is no TOML."),
        ({"update": {"state": "refused", "reason": "it is older"}}, "! The update was refused: it is older"),
        ({"update": {"state": "installing", "version": "1.3", "percent": 40}}, "Version 1.3 is installed: 40 %."),
        ({"certificate": {"problem": "it has expired"}}, "! The certificate: it has expired"),
    ],
)
def test_what_needs_attention(more, words):
    assert words in text(but(**more))


def test_it_fits_whatever_there_is_to_tell():
    mistakes = [{"line": number, "field": "f" * 90, "reason": "r" * 400, "way_out": "w"} for number in range(40)]
    full = but(personal={"mistakes": mistakes}, setup_code="x" * 100, addresses=("fd00::1",) * 9, name="n" * 63)
    assert len(page(full)) < HEIGHT
    assert all(len(line) <= WIDTH for line in page(full))
    assert page(full)[-1] == "  ... and more: see the page Box"
    assert page(but(personal={"mistakes": mistakes}))[-1].startswith("  ... and more")


def test_nothing_in_it_moves_the_cursor():
    nasty = "\x1b[2J\x07\r\n\u202e\u00e9"
    full = but(status=nasty, update={"state": "refused", "reason": nasty}, setup_code=nasty, data={"state": nasty})
    assert all(" " <= each <= "~" for line in page(full) for each in line)
    assert drawn(WELL).startswith("\x1b[?25l\x1b[H\x1b[2J Modembank")


@pytest.mark.parametrize("nonsense", [None, 7, "x", [1], {"state": 3}])
def test_states_that_are_not_what_they_should_be_are_drawn_all_the_same(nonsense):
    odd = {"state": nonsense, "problems": nonsense, "mistakes": nonsense, "last_trouble": nonsense, "slot": nonsense}
    assert page(but(data=odd, personal=odd, update=odd, certificate=odd | {"fingerprint": nonsense}, release=odd))


def test_every_state_of_the_initrd_has_a_sentence():
    assert set(DATA) == set(re.findall(r"(?m)^\s*state=(\w+)", SCRIPT.read_text()))


def test_addresses_are_those_that_others_reach(machine):
    places, _ = machine
    assert addresses(places.root / "proc/net") == ("192.168.1.20", "fd00::20")
    assert addresses(places.root / "nothing") == ()


def test_all_of_it_is_gathered(machine):
    places, _ = machine
    write_state(places.state("data"), {"state": "repaired"})
    write_state(places.state("clock"), {"trusted": ""})
    found = Gatherer(places).look()
    assert (found.service, found.status, found.setup_code) == ("active", "2 of 2 modems can send", "")
    assert found.data == {"state": "repaired"}
    assert found.clock_is_set is False
    (places.root / "run/systemd/timesync").mkdir(parents=True)
    (places.root / "run/systemd/timesync/synchronized").touch()
    assert Gatherer(places).look().clock_is_set is True


def test_the_daemon_is_asked_for_the_code_only_when_it_may_be_another(machine):
    places, said = machine
    gatherer = Gatherer(places)
    file = places.daemon / first_start.FILE_NAME
    file.write_text("x 1\n")
    assert [gatherer.look().setup_code for _ in range(3)] == ["AAAA-BBBB"] * 3
    assert said["asked"] == 1
    os.utime(file, ns=(1, 1))
    gatherer.look()
    assert said["asked"] == 2
    file.unlink()
    assert gatherer.look().setup_code == ""
    assert said["asked"] == 2


def test_it_is_not_asked_while_it_starts(machine):
    places, said = machine
    gatherer = Gatherer(places)
    (places.daemon / first_start.FILE_NAME).write_text("x 1\n")
    ready = said["systemctl"]
    said["systemctl"] = "ActiveState=activating\nStatusText=Opening the database\n"
    assert (gatherer.look().setup_code, said["asked"]) == ("", 0)
    said["systemctl"] = ready
    assert (gatherer.look().setup_code, said["asked"]) == ("AAAA-BBBB", 1)


def test_a_program_that_is_not_there_says_nothing():
    assert gathered._said("no-such-program-anywhere") == ""
    assert gathered._said("false") == ""
    assert gathered._said("echo", "hello") == "hello\n"


def test_once(machine, capsys):
    places, _ = machine
    assert main(["--root", str(places.root), "console", "--once"]) == 0
    assert "2 of 2 modems can send" in capsys.readouterr().out


def test_on_a_terminal_it_is_drawn_once_and_anew_on_enter_and_ends_with_it(tmp_path):
    near, far = pty.openpty()
    command = [sys.executable, "-c", "from modembank_box.cli import main; main()", "--root", str(tmp_path), "console"]
    shown = bytearray()

    def collect():
        try:
            while piece := os.read(near, 4096):
                shown.extend(piece)
                drawn_now = shown.count(b"Enter draws")
                if drawn_now == 1 and b"pressed" not in marks:
                    marks.append(b"pressed")
                    os.write(near, b"\n")
                if drawn_now == 2:
                    break
        except OSError:
            pass

    marks = []
    with subprocess.Popen(
        command, stdin=far, stdout=far, env=os.environ | {"PYTHONPATH": str(ROOT / "daemon")}
    ) as running:
        os.close(far)
        reader = threading.Thread(target=collect)
        reader.start()
        reader.join(60)
        os.close(near)
        running.wait(60)
    assert shown.count(b"\x1b[2J") == 2


def test_every_state_of_the_data_partition_is_explained():
    text = (ROOT / "docs/box.md").read_text().partition("## The data partition")[2]
    assert re.findall(r"(?m)^\| `(\w+)` \|", text) == list(DATA)
