"""What becomes of the watch where the system cannot tell, or ceases to."""

from __future__ import annotations

import asyncio
import errno
import os
import sys

import pytest
from structlog.testing import capture_logs

from modembank.discovery import UsbWatch, watching


class Monitor:
    """A monitor over a pipe: one event for each octet, or an error."""

    def __init__(self, error: int = 0) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self._error = error

    def fileno(self) -> int:
        return self.reading

    def poll(self, timeout: float | None = None) -> object | None:
        try:
            octet = os.read(self.reading, 1)
        except BlockingIOError:
            return None
        if self._error:
            raise OSError(self._error, os.strerror(self._error))
        return octet

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    made = Monitor(getattr(request, "param", 0))
    monkeypatch.setattr(watching, "_listening", lambda: made)
    yield made
    made.close()


async def told(monitor: Monitor, watch: UsbWatch) -> int:
    """How often it is said that something changed, for three events in one go."""
    count = 0
    changed = asyncio.Event()

    def note() -> None:
        nonlocal count
        count += 1
        changed.set()

    await watch.start(note)
    assert watch.alive
    os.write(monitor.writing, b"123")
    async with asyncio.timeout(10):
        await changed.wait()
    return count


async def test_many_events_are_one_word_and_after_the_stop_there_is_none(monitor: Monitor) -> None:
    watch = UsbWatch()
    assert await told(monitor, watch) == 1
    watch.stop()
    watch.stop()
    assert not watch.alive
    assert not asyncio.get_running_loop().remove_reader(monitor.fileno())


@pytest.mark.parametrize("monitor", [errno.ENOBUFS], indirect=True)
async def test_an_overrun_is_a_change_like_any_other(monitor: Monitor) -> None:
    watch = UsbWatch()
    assert await told(monitor, watch) >= 1
    assert watch.alive
    watch.stop()


@pytest.mark.parametrize("monitor", [errno.EBADF], indirect=True)
async def test_a_watch_that_breaks_says_so_and_is_over(monitor: Monitor) -> None:
    watch = UsbWatch()
    with capture_logs() as logs:
        assert await told(monitor, watch) == 1
    assert not watch.alive
    assert [entry["event"] for entry in logs] == ["usb_not_watched"]


async def test_without_libudev_or_netlink_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        monkeypatch.setitem(sys.modules, "pyudev", None)
        missing = UsbWatch()
        await missing.start(lambda: None)
        monkeypatch.undo()

        def refused() -> None:
            raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))

        monkeypatch.setattr(watching, "_listening", refused)
        barred = UsbWatch()
        await barred.start(lambda: None)
    assert not missing.alive
    assert not barred.alive
    assert [entry["log_level"] for entry in logs] == ["warning", "warning"]
    barred.stop()
