"""The datagrams to systemd, over a real socket."""

import socket

import pytest

from modembankd import notify as notify_module
from modembankd.notify import notify, watchdog_interval_s


@pytest.fixture(autouse=True)
def _own_protocol(monkeypatch):
    monkeypatch.setattr(notify_module, "_systemd_notify", None)


@pytest.mark.parametrize("abstract", [False, True])
def test_a_state_reaches_the_socket(tmp_path, monkeypatch, abstract):
    name = f"@modembank-test-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        assert notify("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_without_systemd_nobody_listens(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")


def test_the_library_is_used_where_it_is_installed(monkeypatch):
    told = []
    monkeypatch.setattr(notify_module, "_systemd_notify", lambda state: told.append(state) or 1)
    assert notify("WATCHDOG=1")
    assert told == ["WATCHDOG=1"]


def test_the_watchdog_is_fed_at_half_its_limit(monkeypatch):
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    assert watchdog_interval_s() == 10
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval_s() is None
    monkeypatch.delenv("WATCHDOG_USEC")
    assert watchdog_interval_s() is None
