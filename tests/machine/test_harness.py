"""The harness without a machine: lines of a console, QEMU's monitor, the shell inside, and the command line."""

import asyncio
import json
import subprocess
import time
from base64 import b64decode
from itertools import pairwise
from pathlib import Path

import pytest

from machine import qemu
from machine.console import Console, Lines, NotSaid
from machine.disks import octets_in
from machine.findings import Findings
from machine.inside import Failed, Inside, firmware_strings
from machine.listening import strangers
from machine.qemu import Hardware, command, form_of, free_ports
from machine.qmp import Qmp, Refused
from machine.usb import Bus

PORTS = {"https": 40443}


def texts(*chunks: bytes) -> list[str]:
    """Return what lines make of octets that come in these pieces."""
    lines = Lines()
    for chunk in chunks:
        lines.feed(chunk, 1.0)
    return [line.text for line in lines.lines]


def value_after(words: list[str], option: str) -> list[str]:
    """Return the values of an option that may be there several times."""
    return [value for name, value in pairwise(words) if name == option]


class TestLines:
    def test_a_line_ends_with_its_newline_however_it_comes(self):
        assert texts(b"one\r\ntw", b"o\nthr") == ["one", "two"]

    def test_colours_and_controls_are_left_out(self):
        assert texts(b"[\x1b[0;32m  OK  \x1b[0m] Reached\x07 target\r\n") == ["[  OK  ] Reached target"]

    def test_a_painted_screen_has_lines_too(self):
        assert texts(b"\x1b[H\x1b[2Jname\x1b[2;1Haddress\x1b[3;1H") == ["name", "address"]

    def test_empty_lines_are_none(self):
        assert texts(b"\r\n\r\n\x1b[0m\n") == []

    def test_octets_that_are_no_text_do_no_harm(self):
        assert texts(b"\xff\xfe boot\n") == ["�� boot"]


class Pair:
    """Both ends of a connection."""

    async def __aenter__(self):
        made = asyncio.get_running_loop().create_future()
        self._server = await asyncio.start_server(
            lambda reader, writer: made.set_result((reader, writer)), "127.0.0.1", 0
        )
        port = self._server.sockets[0].getsockname()[1]
        self.near = await asyncio.open_connection("127.0.0.1", port)
        self.far = await made
        return self

    async def __aexit__(self, *_):
        self.near[1].close()
        self.far[1].close()
        self._server.close()
        await self._server.wait_closed()


class TestConsole:
    async def test_it_waits_for_a_line_and_keeps_the_log(self, tmp_path):
        async with Pair() as pair:
            console = Console(*pair.near, tmp_path / "log")
            pair.far[1].write(b"starting\r\ncode: ABCDE-FGHIJ\r\n")
            found = await console.wait_for(r"code: (\S+)", 5.0)
            await console.close()
        assert found[1] == "ABCDE-FGHIJ"
        assert (tmp_path / "log").read_bytes() == b"starting\r\ncode: ABCDE-FGHIJ\r\n"

    async def test_what_was_said_before_is_found_and_can_be_left_out(self, tmp_path):
        async with Pair() as pair:
            console = Console(*pair.near, tmp_path / "log")
            pair.far[1].write(b"login:\n")
            await console.wait_for("login", 5.0)
            assert await console.wait_for("login", 5.0)
            with pytest.raises(NotSaid, match=r"(?s)'login' was not on the console.*login:"):
                await console.wait_for("login", 0.05, since=len(console.lines))
            await console.close()


class Monitor:
    """QEMU's side of its monitor: answers what it is told to."""

    def __init__(self, path, *script):
        self._path, self._script = path, list(script)
        self.asked = []

    async def __aenter__(self):
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        writer.write(b'{"QMP": {"version": {}, "capabilities": []}}\n')
        while line := await reader.readline():
            self.asked.append(json.loads(line))
            replies = [{"return": {}}] if self.asked[-1]["execute"] == "qmp_capabilities" else self._script.pop(0)
            for reply in replies:
                writer.write(json.dumps(reply).encode() + b"\n")
            if not replies:
                break
        writer.close()


class TestQmp:
    async def test_a_command_has_a_value(self, tmp_path):
        async with Monitor(tmp_path / "qmp", [{"return": {"running": True}}]) as monitor:
            qmp = await Qmp.connect(tmp_path / "qmp")
            assert await qmp.ask("query-status") == {"running": True}
            await qmp.close()
        assert monitor.asked[-1] == {"execute": "query-status", "arguments": {}}

    async def test_a_refusal_is_raised(self, tmp_path):
        refusal = {"error": {"class": "GenericError", "desc": "usb port 1.9 not found"}}
        async with Monitor(tmp_path / "qmp", [refusal]):
            qmp = await Qmp.connect(tmp_path / "qmp")
            with pytest.raises(Refused, match=r"device_add: usb port 1\.9 not found"):
                await qmp.ask("device_add", driver="usb-kbd")
            await qmp.close()

    async def test_an_event_before_its_answer_is_kept(self, tmp_path):
        event = {"event": "DEVICE_DELETED", "data": {"device": "modem-1", "path": "/"}}
        async with Monitor(tmp_path / "qmp", [event, {"return": {}}]):
            qmp = await Qmp.connect(tmp_path / "qmp")
            await qmp.ask("device_del", id="modem-1")
            assert await qmp.told("DEVICE_DELETED", device="modem-1") == event
            await qmp.close()

    async def test_whoever_asks_a_machine_that_is_gone_is_told(self, tmp_path):
        async with Monitor(tmp_path / "qmp", []):
            qmp = await Qmp.connect(tmp_path / "qmp")
            for _ in range(2):
                with pytest.raises(Refused, match="gone"):
                    await qmp.ask("quit")
            await qmp.close()

    async def test_a_modem_is_plugged_in_with_its_line_and_pulled_out_with_it(self, tmp_path):
        gone = {"event": "DEVICE_DELETED", "data": {"device": "modem-1.3"}}
        done = {"return": {}}
        async with Monitor(tmp_path / "qmp", [done], [done], [done, gone], [done]) as monitor:
            machine = type("Machine", (), {"qmp": await Qmp.connect(tmp_path / "qmp")})
            bus = Bus(machine)
            await bus.modem("1.3", type("Modem", (), {"pts": "/dev/pts/7"}))
            await bus.unplug("modem-1.3")
            await machine.qmp.close()
        line, device, pulled, forgotten = (asked["arguments"] for asked in monitor.asked[1:])
        assert line == {"id": "line-1.3", "backend": {"type": "serial", "data": {"device": "/dev/pts/7"}}}
        assert (device["driver"], device["port"], device["chardev"]) == ("usb-serial", "1.3", "line-1.3")
        assert (pulled, forgotten) == ({"id": "modem-1.3"}, {"id": "line-1.3"})


class Shell:
    """A shell at the far end, as the machine has it."""

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec("/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.inside = Inside(self._process.stdout, self._process.stdin)
        return self.inside

    async def __aexit__(self, *_):
        await self.inside.close()
        await self._process.wait()


class TestInside:
    async def test_commands_run_one_after_another(self):
        async with Shell() as inside:
            assert await inside.run("echo one; echo two") == "one\ntwo"
            assert await inside.run("printf x") == "x"
            assert await inside.run("true") == ""

    async def test_what_fails_says_how(self):
        async with Shell() as inside:
            with pytest.raises(Failed, match="ended with 3: nothing there"):
                await inside.run("echo nothing there >&2; exit 3")
            assert await inside.ask("exit 2") == ("", 2)
            assert await inside.run("echo still here") == "still here"

    async def test_what_is_said_before_the_shell_is_there_is_said_again(self, monkeypatch):
        monkeypatch.setattr("machine.inside._CALL_EVERY_S", 0.05)
        async with Shell() as inside:
            lost = [b"first", b"second"]
            real = inside._writer.write
            monkeypatch.setattr(inside._writer, "write", lambda data: lost.pop() if lost else real(data))
            assert await inside.run("echo it is there") == "it is there"
            assert not lost

    async def test_a_command_reads_nothing_of_the_next(self):
        async with Shell() as inside:
            assert await inside.run("cat") == ""

    def test_an_emulated_processor_may_stand_still(self):
        assert len(firmware_strings(patient=True)) == len(firmware_strings()) + 1

    def test_the_units_come_with_the_firmware(self):
        units = {}
        for text in firmware_strings():
            kind, name, value = text.split(":", 2)[0], *text.split(":", 1)[1].split("=", 1)
            assert kind == "io.systemd.credential.binary"
            units[name] = b64decode(value).decode()
        assert "ExecStart=/bin/sh\n" in units["systemd.extra-unit.look.service"]
        assert units["systemd.unit-dropin.sysinit.target"] == "[Unit]\nWants=look.service\n"


class TestCommandLine:
    def words(self, **bought):
        return command(Hardware(**bought), Path("/run/m"), Path("/run/m/life.qcow2"), PORTS)

    def test_the_guest_reaches_nothing_and_is_reached_over_the_loopback(self):
        [net] = value_after(self.words(), "-netdev")
        assert net == "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:40443-:443"

    def test_an_image_is_started_by_its_firmware(self):
        words = self.words()
        assert "if=pflash,format=raw,file=/run/m/variables.fd" in value_after(words, "-drive")
        assert "-kernel" not in words

    def test_a_debian_without_a_boot_loader_is_given_its_kernel(self):
        words = self.words(kernel=Path("/k"), initrd=Path("/i"), command_line="root=/dev/vda")
        assert value_after(words, "-kernel") == ["/k"]
        assert value_after(words, "-append") == ["root=/dev/vda"]
        assert not any("pflash" in word for word in words)

    def test_the_disk_is_not_behind_the_host_s_cache_and_obeys_flushes(self):
        file, disk = value_after(self.words(), "-blockdev")
        assert "filename=/run/m/life.qcow2" in file
        assert "cache.direct=on" in file
        assert "cache.direct=on" in disk
        assert "no-flush=on" not in file + disk

    def test_sticks_wait_to_be_plugged_in(self):
        words = self.words(drives=[Path("/a.img")])
        assert (
            value_after(words, "-blockdev")[-1] == "driver=raw,node-name=stick0,file.driver=file,file.filename=/a.img"
        )
        assert not any("usb-storage" in word for word in words)

    def test_ports_are_free_and_no_two_the_same(self):
        assert len(set(free_ports(5))) == 5

    def test_an_image_s_format_is_what_its_octets_say(self, tmp_path):
        (tmp_path / "a").write_bytes(b"QFI\xfb\0\0\0\3")
        (tmp_path / "b").write_bytes(bytes(512))
        assert [form_of(tmp_path / name) for name in "ab"] == ["qcow2", "raw"]


class TestFindings:
    def test_one_bad_finding_fails_the_run(self, capsys):
        found = Findings()
        found.that("the first", True)
        found.that("the second", False, "two\nlines")
        assert found.end() == 1
        said = capsys.readouterr().out
        assert "ok  the first" in said
        assert "BAD the second" in said
        assert "2 findings, 1 of them bad" in said

    def test_a_run_that_found_nothing_proves_nothing(self):
        assert Findings().end() == 1

    def test_all_good(self):
        found = Findings()
        assert found.that("it", 1)
        assert found.end() == 0


class Deaf:
    """A machine's process that goes once its button was pressed for the third time."""

    def __init__(self):
        self.presses, self.returncode = 0, None
        self._over = asyncio.Event()

    async def ask(self, command):
        assert command == "system_powerdown"
        self.presses += 1
        if self.presses == 3:
            self.returncode = 0
            self._over.set()
            raise Refused("gone")

    async def wait(self):
        await self._over.wait()

    async def close(self):
        pass


async def test_the_power_button_is_pressed_until_somebody_hears_it(tmp_path, monkeypatch):
    monkeypatch.setattr(qemu, "_PRESS_EVERY_S", 0.01)
    machine, deaf = qemu.Machine(tmp_path), Deaf()
    monkeypatch.setattr(machine, "_process", deaf)
    monkeypatch.setattr(machine, "_parts", (deaf, deaf, deaf))
    monkeypatch.setattr(machine, "_ended", deaf.close)
    await machine.shut_down()
    assert deaf.presses == 3


def test_times_of_lines_are_monotonic():
    lines = Lines()
    lines.feed(b"a\n", time.monotonic())
    lines.feed(b"b\n", time.monotonic())
    assert lines.lines[0].at <= lines.lines[1].at


class TestListening:
    def test_what_the_box_needs_is_allowed(self):
        said = """tcp LISTEN 0 4096 *:443 *:*
tcp LISTEN 0 4096 *:80 *:*
tcp LISTEN 0 4096 127.0.0.53%lo:53 0.0.0.0:*
udp UNCONN 0 0 0.0.0.0:5353 0.0.0.0:*
udp UNCONN 0 0 10.0.2.15%enp0s4:68 0.0.0.0:*
"""
        assert strangers(said) == []

    @pytest.mark.parametrize(
        "line",
        [
            "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*",
            "tcp LISTEN 0 128 [::1]:25 [::]:*",
            "udp UNCONN 0 0 0.0.0.0:53 0.0.0.0:*",
            "udp UNCONN 0 0 [::]:5355 [::]:*",
        ],
    )
    def test_others_are_told(self, line):
        assert strangers(f"tcp LISTEN 0 4096 *:443 *:*\n{line}\n") == [line]


class TestDisks:
    @pytest.mark.parametrize("at", [0, 4095, (4 << 20) - 3, (4 << 20), (5 << 20)])
    def test_octets_are_found_wherever_they_are(self, tmp_path, at):
        disk = tmp_path / "disk"
        with disk.open("wb") as file:
            file.truncate(9 << 20)
            file.seek(at)
            file.write(b"canary")
        assert octets_in(disk, b"canary", b"parrot") == [b"canary"]

    def test_an_empty_disk_holds_none(self, tmp_path):
        disk = tmp_path / "disk"
        disk.write_bytes(bytes(5 << 20))
        assert octets_in(disk, b"canary") == []
