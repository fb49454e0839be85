"""The daemon under systemd, killed, misconfigured: what the world outside the process sees."""

import json
import re
import signal
import socket
import sqlite3
from contextlib import closing

import pytest

from fakes.daemons import DaemonProcess, FakeSystemd


@pytest.fixture
def systemd(tmp_path):
    manager = FakeSystemd(tmp_path / "notify")
    yield manager
    manager.close()


def test_systemd_is_told_when_it_answers_that_it_lives_and_first_of_all_that_it_stops(tmp_path, systemd):
    with DaemonProcess(tmp_path, env=systemd.env) as daemon:
        assert systemd.told() == "READY=1"
        # From this moment on others are started that need us: everything must answer now.
        assert daemon.get("/readyz")[0] == 200
        assert daemon.get("/api/v1/messages")[0] == 401
        assert (daemon.data / "control.sock").is_socket()
        assert [systemd.told() for _ in range(3)] == ["WATCHDOG=1"] * 3
        assert systemd.lines == ["Opening the database", "No modems are configured"]
        daemon.process.send_signal(signal.SIGTERM)
        assert systemd.told_but("WATCHDOG=1") == "STOPPING=1"
        assert daemon.ended() == 0
    assert "heartbeat_missed" not in daemon.events()


def test_a_daemon_that_cannot_start_never_says_ready(tmp_path, systemd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        config = f'[box]\ndata_dir = "{tmp_path / "data"}"\n[web]\nlisten = "{listen}"\n'
        with DaemonProcess(tmp_path, config, systemd.env) as daemon:
            assert daemon.ended() == 1
    assert systemd.told() == "STOPPING=1"
    assert "cannot listen on" in daemon.log.read_text().splitlines()[-1]
    assert not (tmp_path / "data" / "address").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_end_it_cleanly_also_when_sent_twice(tmp_path, number):
    with DaemonProcess(tmp_path) as daemon:
        daemon.up()
        daemon.process.send_signal(number)
        assert daemon.signal(number) == 0
    assert daemon.events()[-1] == "daemon_stopped"
    assert not (daemon.data / "address").exists()
    assert not (daemon.data / "control.sock").exists()
    assert "Traceback" not in daemon.log.read_text()


def test_a_signal_during_the_start_ends_it_too(tmp_path):
    for _ in range(3):
        with DaemonProcess(tmp_path) as daemon:
            daemon.until((daemon.data / "modembank.sqlite3").exists)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.ended() in {0, -signal.SIGTERM}
        assert "Traceback" not in daemon.log.read_text()


def test_after_kill_9_the_next_one_takes_the_place_over_and_has_all_that_was_accepted(tmp_path):
    with DaemonProcess(tmp_path) as first:
        address = first.up()
        sent = [first.run("send", f"+1555123000{number}", f"text {number}") for number in range(5)]
        ids = [run.stdout.strip() for run in sent]
        assert all(re.fullmatch(r"msg_\w{13}", each) for each in ids), sent
        first.signal(signal.SIGKILL)
    assert (first.data / "control.sock").is_socket()
    assert (first.data / "address").read_text().strip() == address
    assert "no daemon answers" in first.run("send", "+15551230009", "x").stderr
    first.log.unlink()
    with DaemonProcess(tmp_path) as second:
        second.up()
        again = second.run("send", "+15551230006", "after")
        assert again.returncode == 0
        assert again.stdout.strip() > max(ids)
        assert second.signal(signal.SIGTERM) == 0
    with closing(sqlite3.connect(second.data / "modembank.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (6,)


def test_every_line_of_the_log_has_its_journal_priority(tmp_path):
    with DaemonProcess(tmp_path, env={"JOURNAL_STREAM": "8:12345"}) as daemon:
        daemon.up()
        daemon.get("/api/v1/nothing-here")
        assert daemon.signal(signal.SIGTERM) == 0
    lines = daemon.log.read_text().splitlines()
    priorities = {"debug": "7", "info": "6", "warning": "4", "error": "3"}
    assert len(lines) >= 4
    for line in lines:
        found = re.fullmatch(r"<(\d)>(\{.*\})", line)
        assert found, line
        assert found[1] == priorities[json.loads(found[2])["level"]]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("id = 5\n", "box.id"),
        ("[broken\n", "modembank.toml"),
        ('[web]\nlisten = "nowhere"\n', "web.listen"),
        ('[web]\nlisten = "127.0.0.1:99999"\n', "99999"),
        ('[web]\ntls_cert = "/none.pem"\n', "tls"),
        ("[limits]\nper_hour = -1\n", "per_hour"),
        ('[log]\nlevel = "loud"\n', "log.level"),
        ("[colour]\nred = 1\n", "colour"),
        ('[[bank.port]]\nlabel = "no-path"\n', "path"),
    ],
)
def test_a_wrong_configuration_ends_with_one_sentence(tmp_path, config, said):
    with DaemonProcess(tmp_path, f'[box]\ndata_dir = "{tmp_path / "data"}"\n{config}') as daemon:
        assert daemon.ended() == 1
    sentence = daemon.log.read_text().splitlines()[-1]
    assert "Traceback" not in daemon.log.read_text()
    assert sentence.startswith("modembank: ")
    assert said in sentence.lower()


def test_a_data_folder_that_cannot_be_one_ends_with_one_sentence(tmp_path):
    (tmp_path / "data").write_text("a file stands here")
    with DaemonProcess(tmp_path) as daemon:
        assert daemon.ended() == 1
        for run in (daemon.run("user", "add", "ann", "--role", "admin"), daemon.run("send", "+15551234567", "x")):
            assert run.returncode == 1
            assert re.fullmatch(r"modembank: .+\n", run.stderr), run.stderr
    assert re.fullmatch(r"modembank: cannot use the data folder .+\n", daemon.log.read_text())


def test_a_database_that_is_none_ends_with_one_sentence_and_stays_as_it_is(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "modembank.sqlite3").write_bytes(b"this is no database" * 1000)
    with DaemonProcess(tmp_path) as daemon:
        assert daemon.ended() == 1
    assert daemon.log.read_text().splitlines()[-1].startswith("modembank: ")
    assert "Traceback" not in daemon.log.read_text()
    assert (tmp_path / "data" / "modembank.sqlite3").read_bytes()[:19] == b"this is no database"
