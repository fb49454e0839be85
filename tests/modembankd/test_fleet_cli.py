"""`modembank hub` and `modembank fleet`, as a person at the hub's machine calls them."""

from __future__ import annotations

import base64
import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.daemons import MODEMBANK
from fakes.hubs import hub_in_a_thread
from fakes.voices import SaidBox
from modembank.accounts.first_start import read_code
from modembank.config import LogConfig, WebConfig
from modembank_fleet.wire import HubKey, new_signer, verify
from modembank_hub.config import HubConfig, IdentityConfig, MqttConfig
from modembankd.cli import main
from modembankd.hub import HubDaemon
from modembankd.logs import configure_logs


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hub.toml"
    path.write_text(f'[hub]\ndata_dir = "{tmp_path / "data"}"\n[mqtt]\nport = 1\n')
    return path


@pytest.fixture
def running(config: Path, tmp_path: Path) -> Iterator[HubDaemon]:
    """A hub in a thread of its own, with two boxes and no broker."""
    given = HubConfig(
        hub=IdentityConfig(data_dir=str(tmp_path / "data")),
        mqtt=MqttConfig(port=1),
        web=WebConfig(listen="127.0.0.1:0"),
    )
    configure_logs(LogConfig(level="error"))  # what it says is no part of what commands print
    with hub_in_a_thread(given, SaidBox(box="b1"), SaidBox(box="b2", ep="zz01")) as (daemon, _):
        yield daemon


def test_boxes_are_listed_and_shown(running: HubDaemon, config: Path) -> None:
    listed = call("fleet", "list", "--config", str(config))
    assert listed.exit_code == 0, listed.output
    head, *rows = listed.output.splitlines()
    assert head.split()[:3] == ["BOX", "STATE", "VERSION"]
    assert [row.split()[:4] for row in rows] == [[f"leeds/b{n}", "online", "1.2.0", "4/4"] for n in (1, 2)]
    assert len(json.loads(call("fleet", "list", "--json", "--config", str(config)).output)) == 2
    assert call("fleet", "list", "--text", "b2", "--config", str(config)).output.count("leeds/") == 1
    assert call("fleet", "list", "--problems", "--config", str(config)).output.count("leeds/") == 0
    shown = json.loads(call("fleet", "show", "leeds/b1", "--config", str(config)).output)
    assert shown["birth"]["label"] == "Cellar of leeds"
    missing = call("fleet", "show", "leeds/b9", "--config", str(config))
    assert (missing.exit_code, "there is no box leeds/b9" in missing.output) == (1, True)
    assert call("fleet", "show", "leeds", "--config", str(config)).exit_code == 2


def test_what_changes_is_watched(running: HubDaemon, config: Path) -> None:
    watched = call("fleet", "watch", "--times", "2", "--every", "0.5", "--config", str(config))
    assert watched.output.splitlines() == ["2 online, 0 stale, 0 offline"]


def test_commands_are_given(running: HubDaemon, config: Path) -> None:
    given = call("fleet", "command", "leeds/b1", "ping", "--config", str(config))
    assert given.exit_code == 0, given.output
    whole = call("fleet", "command", "leeds/b1", "ping", "--ttl", "60", "--json", "--config", str(config))
    assert json.loads(whole.output)["ttl_s"] == 60
    waited = call("fleet", "command", "leeds/b1", "ping", "--ttl", "1", "--wait", "--config", str(config))
    assert waited.exit_code == 1
    assert waited.output.splitlines()[0] == "waiting"
    wrong = call("fleet", "command", "leeds/b1", "dance", "--config", str(config))
    assert (wrong.exit_code, "/verb: must be one of ping" in wrong.output) == (1, True)
    assert call("fleet", "command", "leeds/b1", "ping", "{", "--config", str(config)).exit_code == 2


def test_messages_are_sent_listed_and_taken_back(running: HubDaemon, config: Path) -> None:
    refused = call("fleet", "send", "+447900900123", "--text", "x", "--config", str(config))
    assert (refused.exit_code, "this hub has no key" in refused.output) == (1, True)
    running.app.pool._signed = True  # a broker to send to is not there anyway
    sent = call("fleet", "send", "+447900900123", "+447900900124", "--text", "x", "--config", str(config))
    assert sent.exit_code == 0, sent.output
    ids = [line.split()[0] for line in sent.output.splitlines()]
    assert [line.split()[1] for line in sent.output.splitlines()] == ["+447900900123", "+447900900124"]
    listed = call("fleet", "messages", "--state", "queued", "--config", str(config))
    assert [row.split()[0] for row in listed.output.splitlines()[1:]] == ids[::-1]
    assert json.loads(call("fleet", "messages", "--json", "--config", str(config)).output)[0]["id"] == ids[1]
    shown = json.loads(call("fleet", "message", ids[0], "--cancel", "--config", str(config)).output)
    assert [step["what"] for step in shown["way"]] == ["queued", "wanted_back", "cancelled"]
    again = call("fleet", "message", ids[0], "--cancel", "--config", str(config))
    assert (again.exit_code, "cancelled already" in again.output) == (1, True)
    wrong = call("fleet", "send", "07900", "--text", "x", "--config", str(config))
    assert (wrong.exit_code, "/to/0" in wrong.output) == (1, True)


def test_a_message_is_followed_to_its_end(running: HubDaemon, config: Path) -> None:
    running.app.pool._signed = True
    send = [MODEMBANK, "fleet", "send", "+447900900123", "--text", "x", "--wait", "--config", config]
    with subprocess.Popen(send, stdout=subprocess.PIPE, text=True) as sending:
        assert sending.stdout is not None
        assert sending.stdout.readline() == "+447900900123 queued\n"
        cancelled = call("fleet", "message", _newest(config), "--cancel", "--config", str(config))
        assert cancelled.exit_code == 0, cancelled.output
        told = sending.stdout.read().splitlines()
    assert sending.returncode == 1
    assert told[-1] == "+447900900123 cancelled"


def _newest(config: Path) -> str:
    return str(json.loads(call("fleet", "messages", "--json", "--config", str(config)).output)[0]["id"])


def test_the_set_up_code_is_shown(running: HubDaemon, config: Path, tmp_path: Path) -> None:
    code = read_code(tmp_path / "data")
    assert code is not None
    assert call("hub", "setup-code", "--config", str(config)).output.strip() == code.text


def test_without_a_hub_it_says_so(config: Path) -> None:
    found = call("fleet", "list", "--config", str(config))
    assert (found.exit_code, "no daemon answers" in found.output) == (1, True)
    assert "was never started" in call("hub", "setup-code", "--config", str(config)).output


def test_a_configuration_is_checked(config: Path, tmp_path: Path) -> None:
    checked = call("hub", "check", "--config", str(config))
    assert "no key: only commands that need no signature" in checked.output
    config.write_text('[mqtt]\nhost = "hub.example"\n')
    wrong = call("hub", "check", "--config", str(config))
    assert (wrong.exit_code, "hub.toml:2: mqtt: hub.example is another machine" in wrong.output) == (1, True)


def test_a_key_is_made_once(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = call("hub", "key", str(path), "--kid", "h2")
    assert made.exit_code == 0
    told = tomllib.loads(made.output)["mqtt"]["hub_key"][0]
    kid, public = told["kid"], base64.b64decode(told["public"])
    assert (kid, path.stat().st_mode & 0o777) == ("h2", 0o600)
    assert call("hub", "key", str(path)).exit_code == 1
    config.write_text(f'[signing]\nkey_file = "{path}"\nkid = "h2"\n')
    assert "key h2" in call("hub", "check", "--config", str(config)).output
    signer = type(new_signer("x"))("h2", bytes.fromhex(path.read_text()))
    verify([HubKey("h2", public)], "h2", signer.sign("t", b"p"), "t", b"p", None)
