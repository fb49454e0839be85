"""``modembank demo-fleet``: what it prints works."""

import re
import signal
import subprocess

import pytest

from fakes.daemons import MODEMBANK

pytestmark = pytest.mark.broker
START = [MODEMBANK, "demo-fleet", "--port", "0", "--boxes", "2", "--modems", "1", "--latency", "zero"]


def fleet(file, *words):
    command = [MODEMBANK, "fleet", *words, "--config", file]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_boxes_come_to_their_hub_send_for_it_and_end_on_ctrl_c():
    with subprocess.Popen(START, stdout=subprocess.PIPE, text=True) as process:
        try:
            seen = ""
            while "Ctrl-C ends it" not in seen:
                line = process.stdout.readline()
                assert line, f"it ended: {seen}"
                seen += line
            file = re.search(r"--config (\S+)", seen)[1]
            assert re.findall(r"(?m)^demo/box-(\d)\s+online", fleet(file, "list")) == ["1", "2"]
            said = fleet(file, "send", "+447900900123", "--text", "Hello", "--wait")
            assert re.search(r"(?m)^\+447900900123 (sent|delivered) demo/box-[12]$", said), said
            assert "done" in fleet(file, "command", "demo/box-2", "cfg.reload", "--wait")  # signed by the hub's key
            process.send_signal(signal.SIGINT)
            assert "the data of this demo is gone" in process.stdout.read()
            assert process.wait(15) == 0
        finally:
            process.kill()


def test_without_a_broker_it_says_what_to_install(monkeypatch, capsys):
    from modembankd import demo_fleet
    from modembankd.cli import main

    monkeypatch.setattr(demo_fleet.shutil, "which", lambda *_, **__: None)
    with pytest.raises(SystemExit) as ended:
        main(["demo-fleet", "--port", "0"])
    assert ended.value.code == 1
    assert "apt install mosquitto" in capsys.readouterr().err
