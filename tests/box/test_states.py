"""Files of state: whole or not there, and readable for those they are for."""

import pytest

from modembank_box.places import Places
from modembank_box.states import read_state, write_state, write_whole


def test_what_is_written_is_read_and_everyone_may(tmp_path):
    path = Places(tmp_path).state("data")
    write_state(path, {"state": "fine", "text": "\u00e9"})
    assert read_state(path) == {"state": "fine", "text": "\u00e9"}
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.read_bytes().isascii()
    assert [each.name for each in path.parent.iterdir()] == ["data.json"]


def test_a_file_left_by_a_crash_or_a_link_is_not_written_through(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("mine")
    (tmp_path / ".data.json.new").symlink_to(secret)
    write_whole(tmp_path / "data.json", b"x", 0o600)
    assert secret.read_text() == "mine"
    assert (tmp_path / "data.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"[1]"])
def test_a_state_that_cannot_be_read_is_empty(tmp_path, content):
    if content is not None:
        (tmp_path / "data.json").write_bytes(content)
    assert read_state(tmp_path / "data.json") == {}
