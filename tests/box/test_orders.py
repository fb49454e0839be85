"""S22: what the daemon asks of root is believed in nothing."""

import json
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from modembank_box.errors import BoxError
from modembank_box.orders import LARGEST_BUNDLE, Order, take_order, taken_bundle
from modembank_box.places import Places


@pytest.fixture
def places(tmp_path):
    (tmp_path / "var/lib/modembank/box").mkdir(parents=True)
    return Places(tmp_path)


@pytest.fixture
def folder(places):
    return places.daemon / "box"


def ask(folder, **told):
    (folder / "request.json").write_text(json.dumps(told))


def test_an_order_is_taken_once(places, folder):
    ask(folder, verb="update", id="x1", by="ada", at="2026-11-26T22:00:00Z")
    assert take_order(places) == Order("update", "x1", "ada")
    assert take_order(places) is None
    assert list(folder.iterdir()) == []


def test_there_may_be_no_folder_yet(tmp_path):
    with pytest.raises(BoxError, match="no folder of orders"):
        take_order(Places(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"verb": "format"}', b'{"verb": ["update"]}', b"\xff", b"[" * 4000, b'{"verb": "update"'],
)
def test_what_is_no_order_is_taken_away_and_told(places, folder, content):
    (folder / "request.json").write_bytes(content)
    with pytest.raises(BoxError, match="not known"):
        take_order(places)
    assert list(folder.iterdir()) == []


def test_a_name_is_no_command_for_a_terminal(places, folder):
    ask(folder, verb="restart", by="\x1b[2Jada\n<b>" + "x" * 500, id=7)
    order = take_order(places)
    assert order.by.startswith("2Jadab")
    assert len(order.by) == 80
    assert order.id == ""


def test_an_update_may_be_of_one_version_alone(places, folder):
    ask(folder, verb="update", id="cmd-0001", by="hub: ada", version="1.3.0-rc.1+x\x1b[2J")
    assert take_order(places) == Order("update", "cmd-0001", "hub ada", version="1.3.0-rc.1+x2J")
    ask(folder, verb="rollback", version=7)
    assert take_order(places) == Order("rollback")


@pytest.mark.parametrize(("days", "taken"), [(3, 3), (30, 30), (31, 0), (-1, 0), (True, 0), ("3", 0), (None, 0)])
def test_it_is_not_postponed_for_ever(places, folder, days, taken):
    ask(folder, verb="postpone", days=days)
    assert take_order(places).days == taken


@pytest.mark.parametrize("name", ["request.json", "bundle.raucb"])
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder", "large"])
def test_only_a_file_of_the_daemons_own_is_opened(places, folder, tmp_path, name, kind):
    secret = tmp_path / "secret"
    secret.write_text('{"verb": "reset"}')
    path = folder / name
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "hard link":
        path.hardlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        (path / "more").mkdir(parents=True)
    else:
        with path.open("wb") as file:
            file.truncate(LARGEST_BUNDLE + 1)
    with pytest.raises(BoxError), taken_bundle(places) if name == "bundle.raucb" else nullcontext():
        take_order(places)
    assert not path.exists() or path.is_dir() is False
    assert secret.read_text() == '{"verb": "reset"}'
    assert secret.stat().st_mode & 0o777 != 0o400


@pytest.mark.root
def test_a_file_of_somebody_else_is_not_taken(places, folder):
    os.chown(folder, 1234, 1234)
    ask(folder, verb="restart")
    os.chown(folder / "request.json", 4321, 4321)
    with pytest.raises(BoxError, match="no file of the daemon's"):
        take_order(places)


def test_the_folder_may_not_lead_elsewhere(places, folder, tmp_path):
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BoxError, match="no folder of orders"):
        take_order(places)


def test_a_bundle_is_what_was_opened_whatever_its_name_becomes(places, folder):
    (folder / "bundle.raucb").write_bytes(b"first")
    with taken_bundle(places) as path:
        (folder / "bundle.raucb").write_bytes(b"second")
        taken = Path(path)
        assert taken.read_bytes() == b"first"
        assert taken.stat().st_mode & 0o777 == 0o400
        assert taken.stat().st_uid == os.geteuid()
    assert not taken.exists()


def test_there_may_be_no_bundle(places):
    with pytest.raises(BoxError, match="there is no bundle"), taken_bundle(places):
        pass
