"""Naming the program that holds a tty."""

import os
import struct
import subprocess
import sys
from pathlib import Path

from modembank.port import Holder, holder_of, holders_of
from modembank.port import holders as holders_module
from modembank.port.holders import lock_file_holder, program_name


def test_story_17_a_program_that_has_the_port_open_is_named(wire, tmp_path) -> None:
    script = "import os,sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"
    link = tmp_path / "modem-07"
    link.symlink_to(wire.path)
    with subprocess.Popen(
        [sys.executable, "-c", script, wire.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert holder_of(wire.path) == [Holder(other.pid, program_name(other.pid))]
        assert holder_of(str(link)) == holder_of(wire.path)
        assert "python" in holder_of(wire.path)[0].name
        other.communicate("")
    assert holder_of(wire.path) == []


def test_many_ports_are_looked_at_in_one_walk(wire, tmp_path, monkeypatch) -> None:
    walks: list[object] = []
    numbered = holders_module._numbered

    def counted(folder):
        walks.append(folder)
        return numbered(folder)

    monkeypatch.setattr(holders_module, "_numbered", counted)
    link = tmp_path / "modem-07"
    link.symlink_to(wire.path)
    missing = str(tmp_path / "nothing")
    held = os.open(wire.path, os.O_RDWR | os.O_NOCTTY)
    try:
        found = holders_of([wire.path, str(link), missing])
    finally:
        os.close(held)
    assert [holder.pid for holder in found[wire.path]] == [os.getpid()]
    assert found[str(link)] == found[wire.path]
    assert found[missing] == []
    assert walks.count(holders_module._PROC) == 1
    walks.clear()
    assert holders_of([missing]) == {missing: []}
    assert walks == []


def test_a_pseudo_terminal_of_a_container_is_another_than_ours_of_the_same_number(wire) -> None:
    node = Path(wire.path).stat()
    elsewhere = os.stat_result((*node[:2], node.st_dev + 1, *node[3:]), {"st_rdev": node.st_rdev})
    assert elsewhere.st_rdev == node.st_rdev
    assert holders_module._device_of(elsewhere) != holders_module._device_of(node)


def test_a_serial_port_is_the_same_under_every_file_system() -> None:
    ours, theirs = (
        os.stat_result((0o20660, 1, dev, 1, 0, 0, 0, 0, 0, 0), {"st_rdev": os.makedev(188, 0)}) for dev in (5, 6)
    )
    assert holders_module._device_of(ours) == holders_module._device_of(theirs)
    assert holders_module._device_of(Path.cwd().stat()) is None


def test_nothing_to_name(tmp_path) -> None:
    assert holder_of(str(tmp_path / "nothing")) == []
    assert holder_of(str(tmp_path)) == []
    assert program_name(2**22 + 1) == "?"


def test_lock_files_in_text_and_binary(bystander, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(holders_module, "_LOCK_FOLDERS", (tmp_path / "missing", tmp_path))
    lock = tmp_path / "LCK..ttyUSB0"
    with bystander() as pid:
        for content in (f"{pid:>10}\n".encode(), f"{pid} minicom root".encode(), struct.pack("<i", pid)):
            lock.write_bytes(content)
            assert lock_file_holder("/dev/ttyUSB0") == Holder(pid, "cat")
        assert lock_file_holder("/dev/ttyUSB1") is None
    assert lock_file_holder("/dev/ttyUSB0") is None, "the program has ended"


def test_lock_files_that_say_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(holders_module, "_LOCK_FOLDERS", (tmp_path,))
    lock = tmp_path / "LCK..ttyUSB0"
    for content in (b"", b"   ", b"hello\n", b"-1\n", b"9" * 60, f"{os.getpid()}\n".encode()):
        lock.write_bytes(content)
        assert lock_file_holder("/dev/ttyUSB0") is None


def test_a_lock_on_the_target_of_a_symlink_counts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(holders_module, "_LOCK_FOLDERS", (tmp_path,))
    target = tmp_path / "ttyUSB5"
    target.touch()
    link = tmp_path / "modem-01"
    link.symlink_to(target)
    (tmp_path / "LCK..ttyUSB5").write_text("1\n")
    found = lock_file_holder(str(link))
    assert found is not None
    assert found.pid == 1
