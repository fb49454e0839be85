"""The watchdog is fed only while the loop and the writer are well."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
from structlog.testing import capture_logs

from modembank.metrics import Metrics
from modembank.store import Store
from modembank.supervision import Supervisor
from modembankd import heartbeat
from modembankd import notify as notify_module
from modembankd.heartbeat import beat, trouble
from modembankd.housekeeping import Chore, start_chores


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    monkeypatch.setattr(notify_module, "_systemd_notify", None)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


@pytest.fixture
async def store(tmp_path):
    opened = await Store.open(tmp_path / "box.sqlite3")
    yield opened
    await opened.close()


def hang(seconds):
    """Block the thread, and the loop on it, as bad code would."""
    time.sleep(seconds)


def test_what_counts_as_trouble():
    assert trouble(0.01, 0) is None
    assert "loop" in trouble(heartbeat.MOST_LAG_S + 1, 0)
    assert "write" in trouble(0, heartbeat.MOST_OVERDUE_S + 1)


async def test_a_healthy_daemon_feeds_the_watchdog_and_measures_its_lag(systemd, store, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.005)
    metrics = Metrics()
    task = asyncio.create_task(beat(store, metrics))
    async with asyncio.timeout(20):
        assert await asyncio.get_running_loop().sock_recv(systemd, 100) == b"WATCHDOG=1"
        assert await asyncio.get_running_loop().sock_recv(systemd, 100) == b"WATCHDOG=1"
    task.cancel()
    assert metrics.registry.get_sample_value("modembank_loop_lag_seconds_count") >= 2


async def test_a_blocked_loop_is_noticed_once_and_not_fed(systemd, store, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.001)
    monkeypatch.setattr(heartbeat, "MOST_LAG_S", 0.01)
    with capture_logs() as logs:
        task = asyncio.create_task(beat(store, Metrics()))
        await asyncio.sleep(0)
        for _ in range(3):
            hang(0.05)
            await asyncio.sleep(0.002)
        task.cancel()
    complaints = [entry for entry in logs if entry["event"] == "heartbeat_missed"]
    assert len(complaints) == 1
    assert "late" in complaints[0]["why"]


async def test_a_writer_that_hangs_is_noticed_and_not_fed_until_it_goes_on(systemd, store, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.005)
    monkeypatch.setattr(heartbeat, "MOST_OVERDUE_S", 0.02)
    loop, hanging, go_on = asyncio.get_running_loop(), threading.Event(), threading.Event()

    def disk_that_hangs(_):
        hanging.set()
        go_on.wait(60)

    with capture_logs() as logs:
        task = asyncio.create_task(beat(store, Metrics()))
        write = asyncio.create_task(store.write(disk_that_hangs))
        async with asyncio.timeout(30):
            while not hanging.is_set() or store.overdue_s < 0.02:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.01)  # a beat that had looked before
            with contextlib.suppress(BlockingIOError):
                while systemd.recv(100):
                    pass
            await asyncio.sleep(0.2)
            with pytest.raises(BlockingIOError):
                systemd.recv(100)
            go_on.set()
            await write
            assert await loop.sock_recv(systemd, 100) == b"WATCHDOG=1"
        task.cancel()
    assert ["a write has waited" in entry["why"] for entry in logs if entry["event"] == "heartbeat_missed"] == [True]


async def test_chores_repeat_and_one_that_fails_does_not_stop_the_others():
    runs = {"steady": 0, "failing": 0}
    enough = asyncio.Event()

    async def steady():
        runs["steady"] += 1
        if runs["steady"] >= 5:
            enough.set()

    async def failing():
        runs["failing"] += 1
        raise OSError

    supervisor = Supervisor()
    chores = (Chore("steady", 0.001, steady, first_s=0), Chore("failing", 0.001, failing, first_s=0))
    with capture_logs():
        start_chores(supervisor, chores)
        async with asyncio.timeout(20):
            await enough.wait()
        await supervisor.stop_all()
    assert runs["failing"] >= 1
