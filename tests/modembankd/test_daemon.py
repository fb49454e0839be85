"""The daemon as a process: started, talked to by the command line, stopped, refused."""

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from modembank_emulator.client import spawn_bank

MODEMBANK = Path(sys.executable).with_name("modembank")
WITHIN_S = 40


def modembank(*arguments, status=0):
    run = subprocess.run([MODEMBANK, *map(str, arguments)], capture_output=True, text=True, timeout=90, check=False)
    assert run.returncode == status, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout


@contextmanager
def daemon(config, log):
    with log.open("w") as stderr:
        process = subprocess.Popen([MODEMBANK, "run", "--config", config], stderr=stderr, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until(condition, process=None):
    """Poll from outside, as there is nothing to wake us across processes."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        assert process is None or process.poll() is None, "the daemon ended"
        time.sleep(0.05)
    raise TimeoutError


def events(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture
async def bank(tmp_path):
    async with spawn_bank(tmp_path / "tty", "--modems", "2", "--dialect", "generic") as running:
        yield running


@pytest.fixture
def config(tmp_path, bank):
    path = tmp_path / "modembank.toml"
    ports = "".join(f'[[bank.port]]\npath = "{port}"\n' for port in bank.paths)
    path.write_text(f'[box]\ndata_dir = "{tmp_path / "data"}"\n[web]\nlisten = "127.0.0.1:0"\n{ports}')
    return path


@pytest.fixture
def log(tmp_path):
    return tmp_path / "daemon.log"


def all_registered(config):
    return modembank("doctor", "--config", config).count("is registered with") == 2


async def test_send_and_doctor_work_beside_the_daemon_and_it_stops_cleanly(config, log, bank, tmp_path):
    with daemon(config, log) as process:
        until((tmp_path / "data" / "control.sock").exists, process)
        until(lambda: log.read_text().count('"line_up"') == 2, process)
        shown = modembank("doctor", "--config", config)
        assert "is running" in shown
        assert shown.count("is registered with") == 2
        number = bank.ready["modems"][1]["msisdn"]
        assert re.fullmatch(r"msg_\w{13}\n", modembank("send", number, "hello", "--config", config))
        until(lambda: '"segment_ended"' in log.read_text(), process)
        assert len(await bank.control.ledger()) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    told = [event["event"] for event in events(log)]
    assert told[-1] == "daemon_stopped"
    assert not (tmp_path / "data" / "control.sock").exists()
    assert not [event for event in events(log) if event["level"] == "error"]


async def test_doctor_shows_what_needs_a_person(config, log, bank, tmp_path):
    config.write_text(config.read_text() + "[health]\nmodem_missing_after_s = 0\n")
    with daemon(config, log) as process:
        until(lambda: log.read_text().count('"line_up"') == 2, process)
        assert "[  ok  ] issues: none is open" in modembank("doctor", "--config", config)
        await bank.control.unplug(1)
        until(lambda: '"issue_raised"' in log.read_text(), process)
        shown = modembank("doctor", "--config", config, status=1)
    assert "[ LOOK ] issue modem_missing: There has been no modem at" in shown
    assert "remedy retry_modem: " in shown


async def test_the_logs_hold_neither_texts_nor_whole_numbers(config, log, bank, tmp_path):
    with daemon(config, log) as process:
        until(lambda: log.read_text().count('"line_up"') == 2, process)
        modembank("send", "+15550000002", "a very private canary", "--config", config)
        await bank.control.inject("+15550000001", "an inbound canary", from_="+19995550123")
        until(lambda: '"message_received"' in log.read_text(), process)
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    text = log.read_text()
    assert "canary" not in text
    assert "+15550000002" not in text
    assert "+19995550123" not in text


async def test_what_it_writes_is_for_its_user_alone(config, log, tmp_path):
    with daemon(config, log) as process:
        until((tmp_path / "data" / "address").exists, process)
        files = [tmp_path / "data", *(tmp_path / "data").iterdir()]
        assert len(files) > 4
        assert not [path for path in files if path.stat().st_mode & 0o077]


async def test_a_second_daemon_on_the_same_data_is_refused(config, log, tmp_path):
    with daemon(config, log) as process:
        until((tmp_path / "data" / "control.sock").exists, process)
        run = subprocess.run(
            [MODEMBANK, "run", "--config", config], capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode == 1
        assert str(process.pid) in run.stderr
        assert (tmp_path / "data" / "control.sock").exists()


async def test_send_says_what_is_wrong_with_a_number(config, log, tmp_path):
    with daemon(config, log) as process:
        until((tmp_path / "data" / "control.sock").exists, process)
        run = subprocess.run(
            [MODEMBANK, "send", "not-a-number", "hi", "--config", config],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == 1
    assert run.stderr.startswith("modembank: /to")


async def test_a_key_made_beside_the_daemon_works_at_once(config, log, tmp_path):
    import httpx

    with daemon(config, log) as process:
        url = until(lambda: (file := tmp_path / "data" / "address").exists() and file.read_text().strip(), process)
        modembank("user", "add", "ann", "--role", "sender", "--config", config)
        key = modembank("apikey", "add", "--user", "ann", "--config", config).strip()
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.get("/api/v1/messages", headers={"API-Key": key})).status_code == 200
            assert (await client.get("/api/v1/messages", headers={"API-Key": key.swapcase()})).status_code == 401


async def test_an_address_in_use_is_a_sentence_and_leaves_nothing_locked(config, log, tmp_path):
    with daemon(config, log) as process:
        url = until(lambda: (file := tmp_path / "data" / "address").exists() and file.read_text().strip(), process)
        other = tmp_path / "other.toml"
        other.write_text(f'[box]\ndata_dir = "{tmp_path / "other"}"\n[web]\nlisten = "{url.removeprefix("http://")}"\n')
        run = subprocess.run(
            [MODEMBANK, "run", "--config", other], capture_output=True, text=True, timeout=60, check=False
        )
    assert run.returncode == 1
    assert "cannot listen on" in run.stderr.splitlines()[-1]


async def test_doctor_alone_looks_at_the_modems_itself_and_leaves_their_messages(config, bank):
    await bank.control.inject("+15550000001", "stay where you are")
    shown = modembank("doctor", "--config", config)
    assert "is not running" in shown
    assert shown.count("is registered with") == 2
    stats = await bank.control.stats()
    assert stats["modems"][0]["cmgs_count"] == 0
    with pytest.raises(IndexError):
        (await bank.control.ledger("outside"))[0]


def test_the_demo_prints_a_curl_line_that_works_and_ends_on_ctrl_c():
    command = [MODEMBANK, "demo", "--port", "0", "--modems", "2", "--latency", "zero"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            seen = read_until(process, "Ctrl-C ends it")
            curl = re.search(r"curl -s \S+/messages -H.*?\}'", seen, re.DOTALL)[0]
            answer = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=30, check=True).stdout
            seen += read_until(process, f"{json.loads(answer)['id']} is delivered")
            assert "came in from +1555" in seen
            process.send_signal(signal.SIGINT)
            assert "the data of this demo is gone" in process.stdout.read()
            assert process.wait(15) == 0
        finally:
            process.kill()


def read_until(process, words):
    seen = ""
    while words not in seen:
        line = process.stdout.readline()
        assert line, f"it ended before it said {words!r}: {seen}"
        seen += line
    return seen
