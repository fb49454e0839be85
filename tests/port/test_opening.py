"""Every way not to get a port has its name."""

import asyncio
import errno
import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from modembank.port import PortConfig, PortError, PortFailure, open_port
from modembank.port import holders as holders_module
from modembank.port.serial import failure_of

NOBODY = 65534


async def refusal(path: str, ear) -> PortError:
    with pytest.raises(PortError) as refused:
        await open_port(PortConfig(path), on_data=ear.on_data, on_lost=ear.on_lost)
    assert not ear.losses, "a port that was never returned is never lost"
    return refused.value


async def test_a_missing_node(ear, tmp_path) -> None:
    error = await refusal(str(tmp_path / "ttyUSB9"), ear)
    assert error.failure is PortFailure.MISSING
    assert "ttyUSB9" in str(error)


async def test_a_regular_file_a_folder_and_a_device_that_is_no_tty(ear, tmp_path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"keep me")
    assert (await refusal(str(plain), ear)).failure is PortFailure.NOT_A_TTY
    assert plain.read_bytes() == b"keep me"
    assert (await refusal(str(tmp_path), ear)).failure is PortFailure.NOT_A_TTY
    assert (await refusal("/dev/null", ear)).failure is PortFailure.NOT_A_TTY


async def test_story_17_the_second_opener_is_told_who_holds_the_port(wire, ear) -> None:
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    error = await refusal(wire.path, ear)
    assert error.failure is PortFailure.BUSY
    assert f"({os.getpid()})" in error.detail
    port.write(b"still mine")
    assert await wire.read(10) == b"still mine"
    port.close()
    await port.wait_closed()


async def test_a_port_locked_by_another_program(wire, ear) -> None:
    script = (
        "import fcntl,sys;f=open(sys.argv[1],'rb+',0);fcntl.flock(f,fcntl.LOCK_EX);"
        "print('held',flush=True);sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, wire.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert await asyncio.to_thread(other.stdout.readline) == "held\n"
        error = await refusal(wire.path, ear)
        assert error.failure is PortFailure.BUSY
        assert str(other.pid) in error.detail
        other.communicate("")


async def test_others_are_kept_out_while_open_and_let_in_after(wire, ear) -> None:
    """TIOCEXCL holds for all but root, so the other program is nobody."""
    Path(wire.path).chmod(0o666)
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    assert await _open_as_nobody(wire.path) == errno.EBUSY
    port.close()
    await port.wait_closed()
    assert await _open_as_nobody(wire.path) == 0


async def _open_as_nobody(path: str) -> int:
    script = (
        "import os,sys\ntry: os.close(os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY))\n"
        "except OSError as e: sys.exit(e.errno)"
    )
    user = NOBODY if os.geteuid() == 0 else None
    arguments = ["/usr/bin/python3", "-c", script, path]
    done = await asyncio.to_thread(subprocess.run, arguments, user=user, cwd="/", check=False)
    return done.returncode


async def test_a_live_lock_file_is_respected_and_a_stale_one_is_not(
    wire, ear, bystander, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(holders_module, "_LOCK_FOLDERS", (tmp_path,))
    lock = tmp_path / f"LCK..{Path(wire.path).name}"
    with bystander() as pid:
        lock.write_text(f"{pid:>10}\n")
        error = await refusal(wire.path, ear)
        assert error.failure is PortFailure.BUSY
        assert error.detail == f"lock file of cat ({pid})"
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    port.close()
    await port.wait_closed()


async def test_a_host_that_refuses(ear) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    for scheme in ("socket", "rfc2217"):
        assert (await refusal(f"{scheme}://127.0.0.1:{number}", ear)).failure is PortFailure.REFUSED


@pytest.mark.parametrize("path", ["socket://nohost", "bogus://x", "socket://127.0.0.1"])
async def test_an_address_that_makes_no_sense(ear, path) -> None:
    assert (await refusal(path, ear)).failure is PortFailure.IO


async def test_cancelling_an_opening_leaves_nothing_open(wire, ear) -> None:
    opening = asyncio.create_task(open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost))
    await asyncio.sleep(0.005)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    port.close()
    await port.wait_closed()


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.ENOENT, PortFailure.MISSING),
        (errno.ENODEV, PortFailure.MISSING),
        (errno.ENXIO, PortFailure.MISSING),
        (errno.EACCES, PortFailure.PERMISSION),
        (errno.EPERM, PortFailure.PERMISSION),
        (errno.EBUSY, PortFailure.BUSY),
        (errno.ENOTTY, PortFailure.NOT_A_TTY),
        (errno.EIO, PortFailure.IO),
        (errno.EINVAL, PortFailure.IO),
        (errno.ECONNREFUSED, PortFailure.REFUSED),
        (errno.ETIMEDOUT, PortFailure.TIMEOUT),
    ],
)
def test_what_the_system_says_has_a_name(number: int, failure: PortFailure) -> None:
    error = failure_of(OSError(number, os.strerror(number)), "/dev/ttyUSB0")
    assert (error.failure, error.path) == (failure, "/dev/ttyUSB0")
    assert failure_of(termios.error(errno.ENOTTY, "no"), "x").failure is PortFailure.NOT_A_TTY
    assert failure_of(ValueError("odd"), "x").failure is PortFailure.IO


async def test_no_permission_for_the_node(wire) -> None:
    Path(wire.path).chmod(0o000)
    assert await _open_as_nobody(wire.path) == errno.EACCES
