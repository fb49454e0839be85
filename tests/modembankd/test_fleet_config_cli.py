"""`modembank fleet config`, as a person at the hub's machine calls it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fakes.hubs import hub_in_a_thread, signing_in
from fakes.voices import SaidBox, hears
from modembank.config import LogConfig, WebConfig
from modembank_fleet.wire import hash_of
from modembank_hub.config import HubConfig, IdentityConfig, MqttConfig
from modembankd.cli import main
from modembankd.hub import HubDaemon
from modembankd.logs import configure_logs

LIMITED = {"sims": {"*": {"limits": {"per_day": 50}}}}


@dataclass
class Running:
    """A hub in a thread of its own, with two boxes and no broker."""

    path: Path
    daemon: HubDaemon
    loop: asyncio.AbstractEventLoop

    def call(self, *arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(main, ["fleet", "config", *arguments, "--config", str(self.path)], input=given)

    def says(self, box: str, ver: int, st: str, document: object = LIMITED, **more: Any) -> None:
        """Let a box report."""
        said = SaidBox(box=box, ep=f"ep00{box}").reported(ver, st, hash_of(document), **more)
        asyncio.run_coroutine_threadsafe(hears(self.daemon.app.store, said), self.loop).result(30)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Running]:
    (data := tmp_path / "data").mkdir()
    signing = signing_in(tmp_path)
    path = tmp_path / "hub.toml"
    path.write_text(f'[hub]\ndata_dir = "{data}"\n[mqtt]\nport = 1\n')
    given = HubConfig(
        hub=IdentityConfig(data_dir=str(data)), mqtt=MqttConfig(port=1), signing=signing,
        web=WebConfig(listen="127.0.0.1:0"),
    )  # fmt: skip
    configure_logs(LogConfig(level="error"))
    with hub_in_a_thread(given, *(SaidBox(box=f"b{n}", ep=f"ep00b{n}") for n in (1, 2))) as (daemon, loop):
        yield Running(path, daemon, loop)


@pytest.fixture
def document(tmp_path: Path) -> Callable[[object], str]:
    def write(content: object) -> str:
        path = tmp_path / "document.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def test_a_box_is_given_a_document_and_stands_so(hub: Running, document: Callable[[object], str]) -> None:
    given = hub.call("set", "leeds/b1", document(LIMITED))
    assert (given.exit_code, given.output) == (0, "version 1\n"), given.output
    assert json.loads(hub.call("show", "leeds/b1").output)["document"] == LIMITED
    head, *rows = hub.call("status").output.splitlines()
    assert head.split()[:2] == ["BOX", "STATE"]
    assert [row.split()[:4] for row in rows] == [["leeds/b1", "waiting", "1", "-"], ["leeds/b2", "none", "-", "-"]]
    hub.says("b1", 1, "rejected", errs=[{"path": "profile", "code": "site_owned"}], local=["sims.x.label"])
    (row,) = hub.call("status", "--behind").output.splitlines()[1:]
    assert row.split()[1] == "rejected"
    assert "profile: site_owned" in row
    assert "sims.x.label" in row
    assert json.loads(hub.call("status", "--json").output)[0]["errors"][0]["code"] == "site_owned"
    waited = hub.call("set", "leeds/b1", "-", "--wait", "1", given=json.dumps({}))
    assert waited.exit_code == 1
    assert waited.output.splitlines() == ["version 2", "waiting", "nothing more after 1 s; it goes on"]


def test_it_waits_for_the_end(hub: Running, document: Callable[[object], str]) -> None:
    hub.call("set", "leeds/b1", document(LIMITED))
    hub.says("b1", 1, "applied")
    same = hub.call("set", "leeds/b1", document(LIMITED), "--wait", "60")  # nothing new, and in force
    assert (same.exit_code, same.output) == (0, "version 1\napplied\n")
    hub.says("b1", 1, "rolled_back", errs=[{"path": "", "code": "link_lost", "detail": "gone"}])
    shown = json.loads(hub.call("show", "leeds/b1", "--versions").output)
    assert [(one["version"], one["ended"], one["by"]) for one in shown] == [(1, "rolled_back", "local")]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        ("{", 2, "is no JSON"),
        ({"pin": "1234"}, 1, "/doc/pin: is no setting that a hub can have (unknown_key)"),
        ({"sims": {"*": {"limits": {"per_day": "x"}}}}, 1, "/doc/sims/*/limits/per_day: Expected"),
    ],
)
def test_what_is_wrong_is_said(
    hub: Running, document: Callable[[object], str], content: object, status: int, words: str
) -> None:
    refused = hub.call("set", "leeds/b1", document(content))
    assert (refused.exit_code, words in refused.output) == (status, True), refused.output
    assert json.loads(hub.call("show", "leeds/b1").output)["version"] == 0


def test_what_is_not_there_is_said(hub: Running, document: Callable[[object], str]) -> None:
    assert "there is no box leeds/b9" in hub.call("show", "leeds/b9").output
    assert "there is no group 'cellars'" in hub.call("set", "cellars", document(LIMITED)).output
    assert hub.call("set", "leeds/b1", document(LIMITED), "--pattern", "x/*").exit_code == 2
    assert "there is no roll-out" in hub.call("pause", "7").output


def test_a_group_is_rolled_out(hub: Running, document: Callable[[object], str]) -> None:
    made = hub.call("set", "cellars", document(LIMITED), "--pattern", "leeds/*")
    assert made.output == "document 1, for 2 boxes: roll it out\n"
    assert hub.call("set", "cellars", document({"profile": "lean"})).output.startswith("document 2, for 2 boxes")
    assert hub.call("set", "cellars", document(LIMITED)).output.startswith("document 3, for 2 boxes")
    assert hub.call("groups").output.splitlines()[1].split()[:3] == ["cellars", "leeds/*", "3"]
    begun = hub.call("roll-out", "cellars", "--step", "50", "--step", "100", "--limit-percent", "60")
    assert (begun.exit_code, begun.output) == (0, "1\n"), begun.output
    assert "has boxes of cellars" in hub.call("roll-out", "cellars").output
    assert hub.call("pause", "1").output == "paused\n"
    followed = hub.call("follow", "1")
    assert followed.exit_code == 1
    assert followed.output.startswith("paused, step 1 of 2: 0 of 2 have it, 0 failed, 1 not answered")
    assert hub.call("continue", "1").output == "running\n"
    first = next(one["box"] for one in json.loads(hub.call("status", "--json").output) if one["version"])
    hub.says(first.partition("/")[2], 1, "rejected", errs=[{"path": "profile", "code": "site_owned"}])
    stopped = hub.call("follow", "1")
    assert stopped.exit_code == 1
    assert "1 of 1 boxes rejected it or rolled it back" in stopped.output
    assert hub.call("abort", "1").output == "aborted\n"
    (row,) = hub.call("roll-outs", "--group", "cellars").output.splitlines()[1:]
    assert row.split()[:3] == ["1", "cellars", "aborted"]
    assert json.loads(hub.call("roll-outs", "--json").output)[0]["failed"] == 1
    assert hub.call("delete", "cellars").exit_code == 0
    assert hub.call("groups").output.splitlines()[1:] == []
