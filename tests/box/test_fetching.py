"""Fetching updates by HTTPS: not twice, not too much, and on from where it was interrupted."""

from datetime import UTC, datetime

import pytest

from fakes.bundle_servers import CONTENT, bundle_server, make_certificate
from fakes.updates import make_keys, updated_box
from modembank_box import fetching
from modembank_box.errors import BoxError
from modembank_box.fetching import Fetch
from modembank_box.settings import UpdateSettings
from modembank_box.verbs import fetch_update

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    with bundle_server(certificate) as made:
        yield made


@pytest.fixture
def fetch(server, tmp_path):
    return Fetch(f"https://localhost:{server.server_port}/amd64/latest.raucb", tmp_path, spare=0)


def test_what_is_new_is_fetched_once(server, fetch):
    assert fetch.fetch()
    assert fetch.file.read_bytes() == CONTENT
    fetch.forget()
    assert not fetch.fetch()
    assert not fetch.file.exists()
    server.tag = '"two"'
    assert fetch.fetch()
    assert [asked[2] for asked in server.asked] == [None, '"one"', '"one"']


def test_what_was_fetched_before_the_power_went_is_still_to_be_installed(server, fetch):
    assert fetch.fetch()
    assert fetch.fetch()
    assert fetch.file.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_during_a_trial_nothing_is_fetched(server, tmp_path):
    box = updated_box(tmp_path / "box", make_keys(tmp_path / "keys"))
    box.progress.note(box.progress.record(), state="trial", slot="a")
    settings = UpdateSettings(url=f"https://localhost:{server.server_port}")
    fetch_update.update_itself(box.places, settings, None, NOON)
    assert server.asked == []


def test_what_was_interrupted_goes_on(server, fetch):
    server.ends = 700_000
    with pytest.raises(BoxError):
        fetch.fetch()
    part = fetch.file.stat().st_size
    assert 0 < part <= 700_000
    server.ends = None
    assert fetch.fetch()
    assert fetch.file.read_bytes() == CONTENT
    assert server.asked[-1][1] == f"bytes={part}-"


def test_what_has_become_another_begins_anew(server, fetch):
    server.ends = 700_000
    with pytest.raises(BoxError):
        fetch.fetch()
    server.ends, server.tag, server.content = None, '"two"', CONTENT[::-1]
    assert fetch.fetch()
    assert fetch.file.read_bytes() == CONTENT[::-1]


def test_what_is_too_large_is_not_begun(server, fetch, tmp_path):
    small = Fetch(fetch.address, tmp_path, largest=len(CONTENT) - 1, spare=0)
    with pytest.raises(BoxError, match="larger than"):
        small.fetch()
    assert not small.file.exists()


def test_what_does_not_fit_is_not_begun(server, fetch, monkeypatch):
    monkeypatch.setattr(fetching, "free_octets", lambda folder: len(CONTENT) - 1)
    with pytest.raises(BoxError, match="no room"):
        fetch.fetch()
    assert not fetch.file.exists()


def test_a_server_has_to_say_how_much_it_is(server, fetch):
    server.says_length = False
    with pytest.raises(BoxError, match="how large"):
        fetch.fetch()


def test_nothing_leads_away_from_https(server, fetch):
    server.leads_to = "http://localhost:1/x"
    with pytest.raises(BoxError, match="302"):
        fetch.fetch()


def test_a_server_that_nobody_vouches_for_is_not_asked(server, fetch, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(BoxError, match="certificate"):
        fetch.fetch()
    assert server.asked == []


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(BoxError, match="cannot be fetched"):
        Fetch("https://localhost:1/x", tmp_path).fetch()


def test_what_is_fetched_is_judged_like_any_other_and_not_kept(server, tmp_path):
    """No update at all: nothing is installed, and nothing is told to those who did not ask."""
    box = updated_box(tmp_path / "box", make_keys(tmp_path / "keys"))
    settings = UpdateSettings(url=f"https://localhost:{server.server_port}/base")
    server.content = CONTENT[:100_000]
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(fetching, "SPARE", 0)
            fetch_update.update_itself(box.places, settings, None, NOON)
    assert [asked[0] for asked in server.asked] == ["/base/amd64/latest.raucb"] * 2
    assert not (box.progress.folder / "fetched.raucb").exists()
    assert box.progress.record().state == "idle"
