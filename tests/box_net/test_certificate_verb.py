"""``modembank-box certificate``: what the box is called and where it is, and what the daemon is told."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest

from fakes.sleepers import Time
from modembank_box.cli import main
from modembank_box.openssl import make_certificate, make_key, read_certificate
from modembank_box.verbs.certificate import FIRST_WAITS_S, _addresses, lan_addresses

CARDS = [
    {},
    {
        "ifname": "eth0",
        "addr_info": [
            {"family": "inet", "local": "192.0.2.7"},
            {"family": "inet6", "local": "2001:db8::7"},
            {"family": "inet6", "local": "fd12::7"},
            {"family": "inet6", "local": "fd12::9", "temporary": True},
            {},
        ],
    },
]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Debian's programs, of which `ip` answers what is in the file and `systemctl` writes down its orders."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, script in (
        ("ip", f"echo >> {folder}/asked; cat {folder}/said"),
        ("systemctl", f'echo "$@" >> {folder}/orders'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    (folder / "said").write_text(json.dumps(CARDS))
    (folder / "orders").touch()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(socket, "gethostname", lambda: "modembank")
    return folder


def test_addresses_that_stay_count_and_a_providers_and_temporary_ones_do_not(programs):
    assert lan_addresses() == ("192.0.2.7", "fd12::7")


@pytest.mark.parametrize("said", ["", "[]", "[{}]"])
def test_no_network_is_no_trouble(programs, said):
    (programs / "said").write_text(said)
    assert lan_addresses() == ()
    (programs / "ip").write_text("#!/bin/sh\nexit 1\n")
    assert lan_addresses() == ()


def test_the_first_certificate_waits_for_an_address(programs):
    (programs / "said").write_text("[]")
    passing = Time(lambda passed: (programs / "said").write_text(json.dumps(CARDS)) if passed == 3.0 else None)
    found = _addresses(first=True, monotonic=lambda: passing.passed, sleep=passing.sleep)
    assert (found, passing.passed) == (("192.0.2.7", "fd12::7"), 3.0)


def test_but_not_for_long_and_later_ones_do_not(programs):
    (programs / "said").write_text("[]")
    passing = Time()
    assert _addresses(first=True, monotonic=lambda: passing.passed, sleep=passing.sleep) == ()
    assert passing.passed == FIRST_WAITS_S
    assert _addresses(first=False, monotonic=lambda: passing.passed, sleep=passing.sleep) == ()
    assert passing.passed == FIRST_WAITS_S


def test_a_box_with_its_owners_certificate_waits_for_no_address(programs, tmp_path):
    """It never has one of its own, and would wait at each look."""
    (programs / "said").write_text("[]")
    boot = tmp_path / "box/boot/box"
    boot.mkdir(parents=True)
    key = make_key()
    (boot / "tls.key").write_bytes(key)
    now = datetime.now(UTC)
    (boot / "tls.crt").write_bytes(make_certificate(key, ("sms.example.org",), now, now + timedelta(days=99)))
    assert main(["--root", str(tmp_path / "box"), "certificate"]) == 0
    assert (programs / "asked").read_text() == "\n"


def test_s06_the_daemon_is_told_to_start_anew_to_take_it_up_or_nothing(programs, tmp_path):
    verb = ["--root", str(tmp_path / "box"), "certificate"]
    assert main(verb) == 0
    assert main(verb) == 0
    assert (programs / "orders").read_text() == "--no-block try-restart modembankd.service\n"
    (programs / "said").write_text(json.dumps([{"addr_info": [{"local": "198.51.100.3"}]}]))
    assert main(verb) == 0
    assert (programs / "orders").read_text().splitlines()[1:] == ["--no-block try-reload-or-restart modembankd.service"]
    found = read_certificate((tmp_path / "box/run/modembank-box/tls.crt").read_bytes())
    assert found.names == ("modembank.local", "modembank", "198.51.100.3")


@pytest.mark.parametrize("verb", ["certificate", "clock"])
def test_what_is_not_understood_does_nothing(verb, programs, tmp_path, capsys):
    assert main(["--root", str(tmp_path / "box"), verb, "now"]) == 1
    assert "takes no arguments" in capsys.readouterr().err
    assert not (tmp_path / "box").exists()
