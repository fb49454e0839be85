"""`modembank fleet alerts` and its kin, as a person at the hub's machine calls them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.alert_hubs import box_subject, end_alert, open_alert
from fakes.hubs import hub_in_a_thread
from fakes.voices import SaidBox
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock, to_ms
from modembank.config import LogConfig, WebConfig
from modembank_hub.alerting.channels import NewChannel
from modembank_hub.config import HubConfig, IdentityConfig, MqttConfig
from modembankd.cli import main
from modembankd.hub import HubDaemon
from modembankd.logs import configure_logs


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hub.toml"
    path.write_text(f'[hub]\ndata_dir = "{tmp_path / "data"}"\n[mqtt]\nport = 1\n')
    return path


@pytest.fixture
def running(config: Path, tmp_path: Path) -> Iterator[tuple[HubDaemon, asyncio.AbstractEventLoop]]:
    """A hub in a thread of its own, with a box that is offline and one whose queue was long."""
    given = HubConfig(
        hub=IdentityConfig(data_dir=str(tmp_path / "data")),
        mqtt=MqttConfig(port=1),
        web=WebConfig(listen="127.0.0.1:0"),
    )
    configure_logs(LogConfig(level="error"))
    with hub_in_a_thread(given, SaidBox(box="b1"), SaidBox(box="b2", ep="zz01")) as (daemon, loop):

        async def happen() -> None:
            store, now = daemon.app.store, to_ms(SystemClock().now())
            subject = await box_subject(store, "leeds/b1")
            await open_alert(store, "box.offline", subject, {"why": "will"}, at=now)
            over = await open_alert(store, "box.queue", await box_subject(store, "leeds/b2"), {"waiting": 5}, at=now)
            await end_alert(store, over, now)

        asyncio.run_coroutine_threadsafe(happen(), loop).result(10)
        yield daemon, loop


@pytest.fixture
def call(config: Path):
    def called(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["fleet", *arguments, "--config", str(config)])

    return called


def boxes_of(output: str) -> list[str]:
    return [line.split("  ")[-1] for line in output.splitlines()[1:] if "leeds/" in line]


def test_alerts_are_listed(running, call) -> None:
    listed = call("alerts", "--kind", "box.offline")
    assert listed.exit_code == 0, listed.output
    assert listed.output.splitlines()[0].split() == ["ID", "SEVERITY", "STATE", "OPENED", "WHAT"]
    assert boxes_of(listed.output) == ["leeds/b1 is offline: its connection broke"]
    assert boxes_of(call("alerts", "--state", "ended").output) == ["leeds/b2 has a long queue: 5 messages wait"]
    assert len(boxes_of(call("alerts", "--state", "all", "--site", "leeds").output)) == 2
    assert boxes_of(call("alerts", "--site", "oslo").output) == []
    found = json.loads(call("alerts", "--json", "--severity", "critical", "--site", "leeds").output)
    assert [one["subject"] for one in found] == ["leeds/b1"]
    assert call("alerts", "--severity", "grave").exit_code == 2


def test_a_check_fails_while_one_is_open_and_an_acknowledgement_settles_it(running, call) -> None:
    assert call("alerts", "--check", "--site", "leeds").exit_code == 1
    (one,) = json.loads(call("alerts", "--json", "--site", "leeds").output)
    shown = json.loads(call("alert", one["id"], "--acknowledge", "a van goes there").output)
    assert (shown["state"], shown["note"]) == ("acknowledged", "a van goes there")
    assert [step["what"] for step in shown["way"]] == ["opened", "acknowledged"]
    assert call("alerts", "--check", "--site", "leeds").exit_code == 0
    assert "[local: a van goes there]" in call("alerts", "--site", "leeds").output
    missing = call("alert", "99")
    assert (missing.exit_code, "there is no alert 99" in missing.output) == (1, True)


def test_a_site_is_silenced_and_heard_again(running, call) -> None:
    made = call("silence", "site:leeds", "--for", "4h", "--reason", "a new mast")
    assert made.exit_code == 0, made.output
    silence = made.output.split()[1]
    assert "open (silenced)" in call("alerts", "--site", "leeds").output
    listed = call("silences").output.splitlines()
    assert (len(listed), "a new mast" in listed[1]) == (2, True)
    assert len(json.loads(call("silences", "--json").output)) == 1
    assert len(call("silences", "--end", silence).output.splitlines()) == 1
    assert call("silences", "--end", silence).exit_code == 1
    assert call("silence", "leeds", "--for", "1d").exit_code == 1
    wrong = call("silence", "*", "--for", "soon")
    assert (wrong.exit_code, "write 30m, 4h or 2d" in wrong.output) == (2, True)


class Answering(BaseHTTPRequestHandler):
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_channel_is_tried(running, call) -> None:
    daemon, loop = running
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        wanted = NewChannel("on call", url=f"http://127.0.0.1:{server.server_port}/hook", allow_private=True)
        asyncio.run_coroutine_threadsafe(daemon.app.channels.create(LOCAL_ADMIN, wanted), loop).result(10)
        assert call("alert-channels").output.splitlines()[1].split()[1:5] == ["on", "call", "webhook", "working"]
        assert call("alert-channels", "--test", "on call").output == "it was taken\n"
        Answering.status = 500
        failed = call("alert-channels", "--test", "1")
        assert (failed.exit_code, "it answered 500" in failed.output) == (1, True)
        assert call("alert-channels", "--test", "nobody").exit_code == 1
        assert [one["name"] for one in json.loads(call("alert-channels", "--json").output)] == ["on call"]
    finally:
        Answering.status = 200
        server.shutdown()
        thread.join(10)
        server.server_close()
