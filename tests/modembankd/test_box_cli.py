"""``modembank box``: the same beside a running daemon and from the files alone."""

import json

import pytest
from click.testing import CliRunner

from fakes.daemons import DaemonProcess
from fakes.images import MISTAKE, Image
from modembankd import box_cli
from modembankd.cli import main

HOSTILE = "not signed\n\x1b[31mfake"


@pytest.fixture
def image(tmp_path, monkeypatch):
    monkeypatch.setattr(box_cli, "RUN", tmp_path / "run")
    return Image(tmp_path / "run", tmp_path / "data")


@pytest.fixture
def run(tmp_path):
    config = tmp_path / "modembank.toml"
    config.write_text(f'[box]\nid = "clinic"\ndata_dir = "{tmp_path / "data"}"\n')

    def called(*more):
        result = CliRunner().invoke(main, ["box", "--config", str(config), *more])
        assert result.exit_code == 0, result.output
        return result.output

    return called


def test_a_box_that_is_no_image_says_so(image, run):
    assert run() == "this box was not started from the appliance image\n"
    assert json.loads(run("--json"))["appliance"] is False


def test_without_a_daemon_the_files_are_read(image, run):
    update = {"state": "installing", "percent": 40, "from_version": "1.2.0", "version": "1.3.0", "reason": HOSTILE}
    personal = {"applied": True, "mistakes": [MISTAKE, {"reason": "is nothing"}]}
    image.start(update=update, personal=personal, data={"state": "set-aside", "detail": "partition 5"})
    image.says("certificate", b"{")
    lines = run().splitlines()
    told = dict(line.split(":", 1) for line in lines)
    assert told["name"].strip() == "clinic"
    assert told["version"].strip() == "1.2.0, build 20261101"
    assert told["slot"].strip() == "a, for amd64"
    assert told["data"].strip() == "set aside: partition 5"
    assert told["update"].strip() == "installing, 40 % (1.2.0 to 1.3.0): not signed  [31mfake"
    assert told["not readable"].strip() == "certificate.json"
    mistakes = [line.partition(":")[2].strip() for line in lines if line.startswith("box.toml")]
    assert mistakes[0].startswith("line 7: network.address 192.168.1.300 is no address; write it as")
    assert mistakes[1] == "is nothing"
    assert "certificate" not in told
    shown = json.loads(run("--json"))
    assert (shown["update"]["percent"], shown["data"]["state"]) == (40, "set_aside")


def test_what_is_asked_for_and_the_certificate_are_shown(image, run):
    image.start()
    image.asked_in.mkdir(parents=True)
    order = {"verb": "restart", "id": "x", "by": "ada", "at": "2026-11-20T14:05:00.000Z"}
    (image.asked_in / "request.json").write_text(json.dumps(order))
    told = dict(line.split(":", 1) for line in run().splitlines())
    assert told["asked for"].strip() == "restart, by ada at 2026-11-20T14:05:00.000Z"
    assert told["certificate"].strip() == "AB:CD:EF:01"
    assert told["good for"].strip() == "modembank.local, 192.0.2.10"


def test_beside_a_daemon_it_is_asked(tmp_path):
    with DaemonProcess(tmp_path) as daemon:
        daemon.up()
        told = json.loads(daemon.run("box", "--json").stdout)
        assert told["appliance"] is False
        assert told["name"] == "modembank"
        assert "not started from the appliance image" in daemon.run("box").stdout
